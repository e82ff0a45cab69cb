"""Registration revocation and operations, from the shell to the air and back."""

from harness import wait_until


def ended(running, number):
    """The operation with that number once it has ended."""
    rows = [row for row in running.rows("show", "operations") if row["id"] == number]
    return rows[0] if rows and rows[0]["state"] in ("done", "failed", "cancelled") else None


def test_revoke_by_nai_is_acknowledged_by_each_node(lab):
    running = lab(nodes=8)
    preview = running.rows("revoke", "binding", "--nai", "*@lab.example", "--dry-run")
    assert [row["targets"] for row in preview] == [4]
    assert len(running.rows("show", "bindings")) == 8, "a dry run changes nothing"
    rows = running.rows("revoke", "binding", "--nai", "*@lab.example", "--yes", "--wait", "--reason", "a test")
    assert rows[0]["state"] == "done" and rows[0]["results"] == {"acknowledged": 4}, rows
    assert rows[0]["who"] and rows[0]["reason"] == "a test"
    targets = running.rows("show", "operation", str(rows[0]["id"]))
    assert [row["result"] for row in targets] == ["acknowledged"] * 4
    assert all(row["nai"].endswith("@lab.example") for row in targets)
    left = running.rows("show", "bindings")
    assert not any(row["nai"] for row in left) and len(left) == 4
    # Whoever was thrown out waits, and comes back.
    wait_until(lambda: len(running.rows("show", "bindings")) == 8, seconds=60)


def test_nothing_happens_by_accident(lab):
    running = lab(nodes=3)
    for words, status in [
        (["revoke", "binding", "--all"], 2),
        (["revoke", "binding", "--yes"], 2),
        (["revoke", "binding", "--all", "--limit", "2"], 5),
        (["revoke", "binding", "--nai", "nobody@*", "--yes"], 4),
        (["operation", "cancel", "77"], 4),
        (["show", "operation", "77"], 4),
        (["wait", "operation", "77"], 4),
    ]:
        running.ctl(*words, expect=status)
    assert running.rows("show", "operations") == []
    assert len(running.rows("show", "bindings")) == 3


def test_paced_paused_and_cancelled(lab):
    running = lab(nodes=6)
    rows = running.rows("revoke", "binding", "--all", "--yes", "--rate", "1/s")
    number = rows[0]["id"]
    running.ctl("operation", "pause", str(number))
    wait_until(lambda: [row["state"] for row in running.rows("show", "operations")] == ["paused"])
    running.ctl("operation", "resume", str(number))
    running.ctl("operation", "cancel", str(number))
    running.ctl("wait", "operation", str(number), "--timeout", "60s", expect=1)
    row = ended(running, number)
    assert row["state"] == "cancelled"
    assert sum(row["results"].values()) == 6 and row["results"]["not-tried"] >= 1, row
    running.ctl("operation", "resume", str(number), expect=5)
