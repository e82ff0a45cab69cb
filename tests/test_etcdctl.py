"""etcd's own client drives `store.sock` and `store-view.sock`, as it drives etcd."""

import json
import os
import pathlib
import re
import subprocess

import pytest

from harness import BIN_DIR, wait_until

#: The number of a group that no system has; its members are operators.
OPERATORS = 4_000_434
NOBODY = 65534

#: Serves an empty store.
EXAMPLE = BIN_DIR / "examples" / "serve_memory"


class Store:
    """An empty store, served, and `etcdctl` in the folder of its sockets."""

    def __init__(self, folder):
        self.folder = folder
        sockets = ["store.sock", "view.sock", str(OPERATORS)]
        self.child = subprocess.Popen([EXAMPLE, *sockets], cwd=folder, stdin=subprocess.PIPE)
        wait_until(lambda: (folder / "view.sock").exists(), what="the socket")

    def stop(self):
        self.child.stdin.close()
        assert self.child.wait(10) == 0

    def command(self, *words, socket="store.sock"):
        return ["etcdctl", f"--endpoints=unix://{socket}", *words]

    def open_to_others(self):
        """Lets any user connect, so that it is the server who refuses."""
        for path in (self.folder, *self.folder.parents):
            if path != pathlib.Path("/") and path.stat().st_uid == 0 and path != pathlib.Path("/tmp"):
                path.chmod(0o755)
        (self.folder / "store.sock").chmod(0o777)

    def as_somebody(self, user, groups, *words, stdin=""):
        """Runs `etcdctl` as a user with these supplementary groups."""
        groups = ["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]
        somebody = ["setpriv", f"--reuid={user}", f"--regid={user}", *groups]
        return subprocess.run(
            somebody + self.command(*words), cwd=self.folder, env={**os.environ, "ETCDCTL_API": "3"},
            input=stdin, capture_output=True, text=True, timeout=20,
        )

    def run(self, *words, stdin="", **options):
        done = subprocess.run(
            self.command(*words, **options), cwd=self.folder, env={**os.environ, "ETCDCTL_API": "3"},
            input=stdin, capture_output=True, text=True, timeout=20,
        )
        return done

    def __call__(self, *words, **options):
        done = self.run(*words, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *words, **options):
        done = self.run(*words, **options)
        assert done.returncode != 0, done.stdout
        return done.stderr


@pytest.fixture
def store(tmp_path):
    served = Store(tmp_path)
    yield served
    served.stop()


def key(number):
    return f"/mip4/associations/address=10.0.0.{number}/1000"


def row(number, tolerance=7, **more):
    return json.dumps({
        "peer": {"address": f"10.0.0.{number}"}, "spi": 1000, "algorithm": "hmac-md5",
        "replay": "timestamps", "tolerance": tolerance, "origin": "cli",
        "storage": "non-volatile", "active": True, **more,
    }, separators=(",", ":"))


def lines(text):
    return [line for line in text.splitlines() if line]


def test_get_and_put(store):
    assert lines(store("put", key(2), row(2))) == ["OK"]
    store("put", key(1), row(1))
    store("put", key(10), row(10))
    assert lines(store("get", key(1))) == [key(1), row(1)]
    assert lines(store("get", key(1), "--print-value-only")) == [row(1)]
    assert store("get", key(9)) == ""
    # Sorted by the octets of the key, not by number.
    assert lines(store("get", "--prefix", "/mip4/", "--keys-only")) == [key(1), key(10), key(2)]
    assert lines(store("get", "--prefix", "/mip4/", "--keys-only", "--limit=2")) == [key(1), key(10)]
    assert lines(store("get", key(1), key(2), "--keys-only")) == [key(1), key(10)]
    assert lines(store("get", key(10), "--from-key", "--keys-only")) == [key(10), key(2)]
    descending = store("get", "--prefix", "/mip4/", "--keys-only", "--order=DESCEND", "--sort-by=CREATE")
    assert lines(descending) == [key(10), key(1), key(2)]
    page = json.loads(store("get", "--prefix", "/mip4/", "--limit=2", "-w", "json"))
    assert (page["count"], page["more"], len(page["kvs"])) == (3, True, 2)
    previous = store("put", "--prev-kv", key(1), row(1, tolerance=9))
    assert lines(previous) == ["OK", key(1), row(1)]
    assert lines(store("put", key(1), "--ignore-value")) == ["OK"]
    found = json.loads(store("get", key(1), "-w", "json"))["kvs"][0]
    assert (found["version"], found["mod_revision"]) == (3, found["create_revision"] + 3)


def test_what_this_version_does_not_know_survives_a_rewrite(store):
    store("put", key(1), row(1, colour="green"))
    assert '"colour":"green"' in store("get", key(1))


def test_get_at_a_revision(store):
    store("put", key(1), row(1))
    first = json.loads(store("get", "--prefix", "/mip4/", "-w", "json"))["header"]["revision"]
    store("put", key(1), row(1, tolerance=9))
    assert row(1) in store("get", key(1), f"--rev={first}")
    assert row(1, tolerance=9) in store("get", key(1))
    assert "future revision" in store.refused("get", key(1), "--rev=1000")
    store("compaction", str(first + 1))
    assert "required revision has been compacted" in store.refused("get", key(1), f"--rev={first}")


def test_what_is_no_row_is_refused_in_words(store):
    assert "names no row" in store.refused("put", "/other", "x")
    assert "names no row" in store.refused("put", "/mip4/nonsense/a", "{}")
    assert "not a row of associations" in store.refused("put", key(1), '{"peer":1}')
    assert "belongs at" in store.refused("put", key(1), row(2))
    assert store("get", "--prefix", "/mip4/") == ""


def test_del(store):
    for number in (1, 2, 3):
        store("put", key(number), row(number))
    assert lines(store("del", key(9))) == ["0"]
    assert lines(store("del", "--prev-kv", key(2))) == ["1", key(2), row(2)]
    assert lines(store("del", "--prefix", "/mip4/")) == ["2"]
    assert store("get", "--prefix", "/mip4/") == ""


def test_txn(store):
    quoted = json.dumps(row(1))

    def transaction(condition):
        script = f"{condition}\n\nput {key(1)} {quoted}\nget {key(1)}\n\nget {key(1)}\n\n"
        return lines(store("txn", stdin=script))

    absent = f'create("{key(1)}") = "0"'
    assert transaction(absent) == ["SUCCESS", "OK", key(1), row(1)]
    assert transaction(absent) == ["FAILURE", key(1), row(1)]
    assert transaction(f'ver("{key(1)}") > "5"')[0] == "FAILURE"
    assert transaction(f'ver("{key(1)}") = "1"')[0] == "SUCCESS"
    assert transaction(f'val("{key(1)}") = {quoted}')[0] == "SUCCESS"
    script = f"\nput {key(1)} {quoted}\nput {key(1)} {quoted}\n\n\n"
    assert "duplicate key" in store.refused("txn", stdin=script)


class Watch:
    def __init__(self, store, *words):
        self.child = subprocess.Popen(
            store.command("watch", *words), cwd=store.folder, env={**os.environ, "ETCDCTL_API": "3"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )

    def read(self, count):
        return [self.child.stdout.readline().rstrip("\n") for _ in range(count)]

    def stop(self):
        self.child.kill()
        self.child.communicate(timeout=10)


def test_watch(store):
    store("put", key(1), row(1))
    first = json.loads(store("get", key(1), "-w", "json"))["kvs"][0]["mod_revision"]
    store("put", key(2), row(2))
    store("del", key(1))
    watch = Watch(store, "--prefix", "/mip4/associations/", f"--rev={first}")
    try:
        assert watch.read(8) == ["PUT", key(1), row(1), "PUT", key(2), row(2), "DELETE", key(1)]
        assert watch.read(1) == [""]
        store("put", key(3), row(3))
        assert watch.read(3) == ["PUT", key(3), row(3)]
    finally:
        watch.stop()
    watch = Watch(store, "--prev-kv", key(3), f"--rev={first + 3}")
    try:
        assert watch.read(3) == ["PUT", key(3), row(3)]
        store("put", key(3), row(3, tolerance=9))
        assert watch.read(3) == ["PUT", key(3), row(3)], "what was there before"
        assert watch.read(2) == [key(3), row(3, tolerance=9)]
    finally:
        watch.stop()


def test_a_watch_of_what_is_compacted_is_told(store):
    for tolerance in (4, 5, 6):
        store("put", key(1), row(1, tolerance=tolerance))
    store("compaction", "3")
    watch = Watch(store, key(1), "--rev=1")
    _, errors = watch.child.communicate(timeout=20)
    assert "required revision has been compacted" in errors
    watch = Watch(store, key(1), "--rev=3")
    try:
        assert watch.read(3) == ["PUT", key(1), row(1, tolerance=6)]
    finally:
        watch.stop()


def grant(store, seconds):
    return store("lease", "grant", str(seconds)).split()[1]


def test_lease(store):
    lease = grant(store, 300)
    store("put", key(1), row(1), f"--lease={lease}")
    store("put", key(2), row(2), f"--lease={lease}")
    left = store("lease", "timetolive", lease, "--keys")
    assert "granted with TTL(300s)" in left and key(1) in left and key(2) in left
    assert lease in store("lease", "list")
    assert "keepalived with TTL(300)" in store("lease", "keep-alive", "--once", lease)
    # A write without the lease frees the row of it.
    store("put", key(2), row(2, tolerance=9))
    assert "revoked" in store("lease", "revoke", lease)
    assert lines(store("get", "--prefix", "/mip4/", "--keys-only")) == [key(2)]
    assert "lease not found" in store.refused("put", key(3), row(3), f"--lease={lease}")
    assert "already expired" in store("lease", "timetolive", lease)


def test_a_lease_that_ends_deletes_its_rows(store):
    lease = grant(store, 1)
    store("put", key(1), row(1), f"--lease={lease}")
    store("put", key(2), row(2))
    wait_until(lambda: lines(store("get", "--prefix", "/mip4/", "--keys-only")) == [key(2)], what="the deletion")


@pytest.mark.parametrize("is_absolute", [False, True])
def test_endpoint(store, is_absolute):
    """With any spelling of the socket: etcdctl sends it as the name of the server."""
    socket = {"socket": str(store.folder / "store.sock") if is_absolute else "store.sock"}
    store("put", key(1), row(1), **socket)
    health = store.run("endpoint", "health", **socket)
    assert "is healthy" in health.stderr + health.stdout
    (status,) = json.loads(store("endpoint", "status", "-w", "json", **socket))
    assert status["Endpoint"] == "unix://" + socket["socket"]
    revision = json.loads(store("get", key(1), "-w", "json", **socket))["header"]["revision"]
    assert status["Status"]["header"]["revision"] == revision
    assert status["Status"]["leader"] == status["Status"]["header"]["member_id"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", status["Status"]["version"])
    table = store("endpoint", "status", "--cluster=false", "-w", "table", **socket)
    assert "| true " in table or "|      true |" in table, table
    view = json.loads(store("endpoint", "status", "-w", "json", socket="view.sock"))
    assert view[0]["Status"]["header"]["revision"] == revision


def test_secrets_are_not_listed_and_viewers_only_read(store):
    store("put", key(1), row(1))
    store("put", "/mip4-secret/associations/a", "plain octets")
    assert lines(store("get", "/mip4-secret/associations/a"))[1] == "plain octets"
    everything = store("get", "", "--from-key")
    assert key(1) in everything and "secret" not in everything and "plain" not in everything
    assert store("get", "--prefix", "/mip4-secret/") == ""
    view = {"socket": "view.sock"}
    assert lines(store("get", key(1), **view)) == [key(1), row(1)]
    assert "only daemons read secrets" in store.refused("get", "/mip4-secret/associations/a", **view)
    assert "only daemons read secrets" in store.refused("get", "--prefix", "/mip4-secret/", **view)
    for words in (
        ("put", key(1), row(1)), ("del", key(1)), ("lease", "grant", "60"), ("compaction", "1"),
        ("put", "/mip4-secret/associations/a", "x"), ("del", "/mip4-secret/associations/a"),
    ):
        assert "for reading only" in store.refused(*words, **view), words
    assert store("del", "/mip4-secret/associations/a") == "1\n"
    assert store("get", "/mip4-secret/associations/a") == ""


root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@root_only
def test_somebody_else_is_refused_whatever_they_say(store):
    store.open_to_others()
    for words in (("get", key(1)), ("put", key(1), row(1)), ("get", "/mip4-secret/a"), ("endpoint", "status")):
        done = store.as_somebody(NOBODY, [], *words)
        assert done.returncode != 0 and "neither a daemon nor in the group" in done.stderr, done.stderr


BINDING = "/mip4/bindings/192.0.2.1/10.0.0.1/198.51.100.1/-"


@root_only
def test_an_operator_by_supplementary_group_may_do_what_operators_may(store):
    """And whatever the rows say about who wrote them: the server says it."""
    store.open_to_others()
    store("put", key(9), row(9, origin="file", storage="read-only"))
    store("put", key(8), row(8, storage="permanent"))
    store("put", "/mip4-secret/associations/address=10.0.0.9/1000", "key of the file")

    def operator(*words, **options):
        return store.as_somebody(NOBODY, [7, OPERATORS], *words, **options)

    lie = row(1, changed={"by": "root", "at": 1})
    assert operator("put", key(1), lie).returncode == 0
    stored = json.loads(lines(store("get", key(1)))[1])
    assert stored["changed"]["by"] in ("nobody", f"uid {NOBODY}") and stored["changed"]["at"] > 1_600_000_000_000
    script = f"\nput {key(2)} {json.dumps(row(2, changed=dict(by='root', at=1)))}\n\n\n"
    assert operator("txn", stdin=script).returncode == 0
    assert json.loads(lines(store("get", key(2)))[1])["changed"] == {
        "by": stored["changed"]["by"], "at": pytest.approx(stored["changed"]["at"], abs=600_000),
    }
    assert operator("get", key(1)).returncode == 0
    assert operator("del", key(1)).returncode == 0
    assert operator("put", "/mip4-secret/associations/address=10.0.0.2/1000", "a key").returncode == 0
    for words, reason in (
        (("put", BINDING, "{}"), "only daemons write /mip4/bindings/"),
        (("del", "--prefix", "/mip4/bindings/"), "only daemons write /mip4/bindings/"),
        (("del", "--prefix", "/mip4/"), "only daemons write"),
        (("put", "/mip4/config/role=home-agent/enabled", "{}"), "only daemons write /mip4/config/"),
        (("put", key(3), row(3, origin="file")), "`origin`"),
        (("put", key(3), row(3, origin="snmp")), "`origin`"),
        (("put", key(3), row(3, storage="permanent")), "`storage`"),
        (("put", key(3), row(3, tolerance=2)), "`tolerance`: at least 3 seconds"),
        (("put", key(9), row(9)), "belongs to the configuration file"),
        (("del", key(9)), "belongs to the configuration file"),
        (("del", key(8)), "permanent"),
        (("del", "--prefix", "/mip4/associations/"), "`"),
        (("get", "/mip4-secret/associations/address=10.0.0.2/1000"), "only daemons read secrets"),
        (("put", "/mip4-secret/associations/address=10.0.0.9/1000", "x"), "belongs to the configuration file"),
        (("del", "/mip4-secret/associations/address=10.0.0.9/1000"), "belongs to the configuration file"),
        (("compaction", "1"), "only daemons compact"),
    ):
        done = operator(*words)
        assert done.returncode != 0 and reason in done.stderr, (words, done.stdout, done.stderr)
    assert lines(store("get", key(9)))[1] == row(9, origin="file", storage="read-only")
    assert lines(store("get", "/mip4-secret/associations/address=10.0.0.9/1000"))[1] == "key of the file"


def test_what_is_wrong_with_a_row_is_wrong_for_daemons_as_well(store):
    assert "`spi`" in store.refused("put", key(1).replace("1000", "255"), row(1, spi=255))
    assert "`tolerance`" in store.refused("put", key(1), row(1, tolerance=1))
    setting = {"scope": {"role": "home-agent"}, "origin": "snmp", "storage": "volatile", "active": True}
    path = "/mip4/config/role=home-agent/enabled"
    assert "`kind`" in store.refused("put", path, json.dumps({**setting, "kind": "enabled", "enabled": "yes"}))
    store("put", path, json.dumps({**setting, "kind": "enabled", "enabled": False}))
    assert "belongs at" in store.refused("put", path, json.dumps({**setting, "kind": "of-tomorrow"}))
