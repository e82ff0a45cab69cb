"""The configuration of regions by `mip4ctl`: candidates, commits, and what becomes of them."""

import json
import os
import pwd
import re
import shlex
import subprocess
import time

from harness import MIP4CTL, ROOT, wait_until

GATEWAY = "127.0.0.9"
FOREIGN_AGENT = "127.0.0.11"
FILE = f"""
[[gateway]]
address = "{GATEWAY}"
regional-lifetime = 600
replay = "any"
dynamic = true

[[foreign-agent]]
address = "{FOREIGN_AGENT}"
gateway = "{GATEWAY}"
assignment = "dynamic"
nai = "fa1@region.example"
spi = 5000
"""


def agents(served):
    return {(row["role"], row["address"]): row for row in served.rows("regional", "show")}


def history(served):
    return served.rows("regional", "history", "--sort", "id")


def ctl_started(served, *words):
    """`mip4ctl` as a process that runs beside others."""
    return subprocess.Popen(
        [MIP4CTL, "--store", f"unix:{served.directory}/store.sock", "-o", "json", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
    )


def test_a_region_is_committed_and_survives(daemon, tmp_path):
    served = daemon(associations=[]).start()
    file = tmp_path / "region.toml"
    file.write_text(FILE)
    served.ctl("regional", "load", str(file))
    assert agents(served) == {}, "a candidate is not in force"

    refused = json.loads(served.ctl("-o", "json", "regional", "commit", expect=5))
    problems = [row["problem"] for row in refused["rows"]]
    assert f"no daemon is a gateway at {GATEWAY}" in problems
    assert refused["error"]["kind"] == "refused"
    assert agents(served) == {} and history(served) == [], "nothing changed"

    served.ctl("regional", "commit", "--force", "--reason", "a new site")
    before = agents(served)
    assert before["foreign-agent", FOREIGN_AGENT]["gateway"] == GATEWAY
    assert before["gateway", GATEWAY]["regional_lifetime"] == 600
    (commit,) = history(served)
    assert (commit["id"], commit["reason"], commit["state"]) == (1, "a new site", "confirmed")
    assert commit["who"] and commit["at"]

    served.kill()
    served.start()
    assert agents(served) == before
    saved = tmp_path / "saved.toml"
    served.ctl("regional", "save", str(saved))
    served.ctl("regional", "load", str(saved))
    assert served.rows("regional", "diff") == [], "what is saved is what is in force"

    # What is not so is refused as a whole, with its place.
    saved.write_text(FILE + "colour = 1\n")
    refused = json.loads(served.ctl("-o", "json", "regional", "load", str(saved), expect=5))
    assert f":{len(FILE.splitlines()) + 1}:1: unknown field" in refused["error"]["message"]


def test_a_candidate_that_does_not_hold_together_changes_nothing(daemon):
    """What cannot work is refused whatever runs, with a reason for each agent; nobody can force it."""
    served = daemon(associations=[]).start()
    served.ctl("regional", "set", "gateway", GATEWAY)
    served.ctl("regional", "commit", "--force")
    before, commits = agents(served), history(served)
    elsewhere = ["set", "foreign-agent", FOREIGN_AGENT, "--gateway"]
    broken = [
        ([[*elsewhere, "127.0.0.77"]], "there is no gateway 127.0.0.77"),
        ([[*elsewhere, GATEWAY, "--assignment", "dynamic"]], f"gateway {GATEWAY} is not `dynamic`"),
        ([[*elsewhere, GATEWAY], ["set", "gateway", FOREIGN_AGENT]], "each role has an address of its own"),
    ]
    for commands, why in broken:
        for words in commands:
            served.ctl("regional", *words)
        for command in (["validate"], ["commit"], ["commit", "--force"]):
            refused = json.loads(served.ctl("-o", "json", "regional", *command, expect=5))
            assert any(why in row["problem"] for row in refused["rows"]), (why, command, refused["rows"])
            assert refused["error"]["kind"] == "refused" and refused["error"]["message"]
        assert agents(served) == before and history(served) == commits, "nothing changed"
        served.ctl("regional", "discard")
    # Words that are none never get so far.
    served.ctl("regional", "set", "gateway", "nowhere", expect=2)
    served.ctl("regional", "delete", "gateway", "127.0.0.78", expect=4)
    served.ctl("regional", "commit", expect=5)
    assert agents(served) == before and history(served) == commits


def test_what_is_not_confirmed_is_rolled_back_though_everybody_was_killed(daemon):
    served = daemon(associations=[]).start()
    served.ctl("regional", "set", "gateway", GATEWAY)
    served.ctl("regional", "commit", "--force")
    served.ctl("regional", "set", "gateway", GATEWAY, "--regional-lifetime", "300")
    document = json.loads(served.ctl("-o", "json", "regional", "commit", "confirmed", "3s", "--force"))
    assert document["commit"]["state"] == "unconfirmed"
    served.kill()
    assert not served.alive()
    time.sleep(3.2)  # The deadline passes while nothing runs.
    served.start()

    def rolled_back():
        rows = history(served)
        return rows if len(rows) == 3 else None

    rows = wait_until(rolled_back, what="the roll-back")
    assert [row["state"] for row in rows] == ["confirmed", "rolled back", "confirmed"]
    assert rows[2]["cause"] == "2 was not confirmed"
    assert rows[2]["who"].startswith("mip4d ")
    assert agents(served)["gateway", GATEWAY]["regional_lifetime"] is None
    served.ctl("regional", "confirm", expect=5)

    # And by a daemon that goes on, too.
    served.ctl("regional", "set", "gateway", GATEWAY, "--dynamic", "yes")
    served.ctl("regional", "commit", "confirmed", "1s", "--force")
    wait_until(lambda: len(history(served)) == 5, what="the second roll-back")
    assert agents(served)["gateway", GATEWAY]["dynamic"] is False


def test_what_is_confirmed_stays(daemon):
    served = daemon(associations=[]).start()
    served.ctl("regional", "set", "gateway", GATEWAY)
    served.ctl("regional", "commit", "confirmed", "2s", "--force")
    served.ctl("regional", "set", "gateway", "127.0.0.10")
    refused = json.loads(served.ctl("-o", "json", "regional", "commit", "--force", expect=5))
    assert "waits to be confirmed" in refused["error"]["message"]
    served.ctl("regional", "confirm")
    time.sleep(3.2)  # Longer than the deadline and a look at it.
    assert [row["state"] for row in history(served)] == ["confirmed"]
    assert list(agents(served)) == [("gateway", GATEWAY)]


def test_of_two_commits_at_once_one_wins_and_the_other_is_told(daemon):
    served = daemon(associations=[]).start()
    editors = {"alice": 600, "bob": 300}
    for name, lifetime in editors.items():
        served.ctl("regional", "set", "gateway", GATEWAY, "--regional-lifetime", str(lifetime), "--candidate", name)
    commits = {
        name: ctl_started(served, "regional", "commit", "--force", "--reason", f"as {name} has it", "--candidate", name)
        for name in editors
    }
    done = {name: (*child.communicate(timeout=60), child.returncode) for name, child in commits.items()}
    statuses = sorted(status for _, _, status in done.values())
    assert statuses == [0, 5], done
    winner = next(name for name, (_, _, status) in done.items() if status == 0)
    loser = next(name for name in editors if name != winner)
    told = json.loads(done[loser][0])
    assert f"as {winner} has it" in told["error"]["message"]
    changed = {row["field"]: row["after"] for row in told["rows"]}
    assert changed["regional-lifetime"] == str(editors[winner])
    assert agents(served)["gateway", GATEWAY]["regional_lifetime"] == editors[winner]

    # Nothing of the other candidate is lost.
    served.ctl("regional", "rebase", "--candidate", loser)
    served.ctl("regional", "commit", "--force", "--candidate", loser)
    assert agents(served)["gateway", GATEWAY]["regional_lifetime"] == editors[loser]
    served.ctl("regional", "rollback", "0")
    assert agents(served) == {}


def test_edits_of_many_at_once_are_all_there(daemon):
    served = daemon(associations=[]).start()
    numbers = range(1, 9)
    children = [
        ctl_started(served, "regional", "set", "gateway", f"127.0.1.{number}", "--candidate", "all") for number in numbers
    ]
    for child in children:
        out, err = child.communicate(timeout=60)
        assert child.returncode == 0, (out, err)
    assert len(served.rows("regional", "show", "--candidate", "all")) == len(numbers)


def transcript():
    """The commands of docs/regional.md, each with the lines that follow it."""
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "docs" / "regional.md").read_text(), re.DOTALL)
    steps = []
    for line in "".join(blocks).splitlines():
        if line.startswith("$ "):
            steps.append((shlex.split(line[2:]), []))
        else:
            steps[-1][1].append(line)
    return steps


def normalized(text):
    """Output without what differs from one run to the next: user, instants, widths of columns."""
    user = pwd.getpwuid(os.geteuid()).pw_name
    text = re.sub(rf"`{user}`", "`me`", text)
    text = re.sub(rf"\b{user} (?=\s*\d{{4}}-)", "me ", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "AT", text)
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_transcript_of_the_documentation_can_be_repeated(daemon):
    served = daemon(associations=[]).start()
    steps = transcript()
    assert len(steps) > 8
    for words, expected in steps:
        assert words[0] == "mip4ctl"
        done = subprocess.run(
            [MIP4CTL, "--store", f"unix:{served.directory}/store.sock", *words[1:]],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, stdin=subprocess.DEVNULL,
        )
        is_refused = any(line.startswith("error:") for line in expected)
        assert done.returncode == (5 if is_refused else 0), (words, done.stdout)
        if expected:
            assert normalized(done.stdout) == [" ".join(line.split()) for line in expected], words
