"""The audit trail: who had what done, from which side, with what outcome; bounded, exported, and in syslog."""

import json
import os
import re
import shutil
import socket

import pytest

from harness import MIP4CTL
from node import KEY
from test_revocation_peers import AtHomeAgent, as_somebody, open_site, root_only  # noqa: F401

SECRET = "cafecafecafecafecafecafecafecafe"


def told(running, *words):
    return [(row["who"], row["origin"], row["verb"], row["what"], row["outcome"])
            for row in running.rows("show", "audit", *words)]


@pytest.fixture
def syslog(tmp_path):
    """A socket that syslog would listen on; and what came there."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(tmp_path / "log"))
    receiver.settimeout(20)
    yield tmp_path / "log", receiver
    receiver.close()


def test_every_change_and_operation_is_told_once(daemon, syslog, tmp_path):
    path, receiver = syslog

    def with_syslog(**options):
        made = daemon(**options)
        made.config.write_text(f'[daemon]\nname = "ha"\nsyslog = "{path}"\n' + made.config.read_text())
        return made

    site = AtHomeAgent(with_syslog)
    running = site.ours
    site.register()
    # The rows of the file, made when it was read: one entry each, being few.
    assert [(verb, outcome) for _, origin, verb, _, outcome in told(running, "--origin", "file")] == [("create", "done")] * 2
    key = tmp_path / "key"
    key.write_text(f"hex:{SECRET}\n")
    key.chmod(0o600)
    running.ctl("association", "add", "10.99.0.9", "--spi", "1000", "--key-file", str(key), "--tolerance", "9")
    running.ctl("association", "delete", "10.99.0.9", "--spi", "1000")
    (operation,) = running.rows("revoke", "binding", "--all", "--yes", "--reason", "for the auditors")
    octets = site.peer.receive(7)
    site.peer.send(site.peer.acknowledgment(octets))
    running.ctl("wait", "operation", str(operation["id"]), "--timeout", "30s")
    association = "associations/address=10.99.0.9/1000"
    expected = [
        ("root", "cli", "create", association, "done"),
        ("root", "cli", "delete", association, "done"),
        ("root", "cli", "revoke-bindings", "operations/1", "asked"),
        ("root", "cli", "end", "operations/1", "done"),
    ]
    assert told(running, "--origin", "cli") == expected
    rows = running.rows("show", "audit", "--origin", "cli")
    assert "tolerance=9" in rows[0]["detail"]
    assert rows[2]["detail"] == "all; at most 1; for the auditors"
    assert rows[3]["detail"] == "1 acknowledged"
    assert rows[2]["from"] == f"{running.directory}/store.sock"
    # Selectors, and an order of one's own.
    assert told(running, "--what", "operations/*", "--sort", "verb") == [expected[3], expected[2]]
    assert told(running, "--who", "ro*", "--last", "1") == [expected[3]]
    assert told(running, "--verb", "create", "--origin", "cli", "--since", "1h") == [expected[0]]
    running.ctl("show", "audit", "--who", "nobody", expect=4)
    running.ctl("show", "audit", "--origin", "fax", expect=2)
    running.ctl("show", "audit", "--sort", "colour", expect=2)
    # An export has it, and no secret is anywhere.
    export = running.ctl("export", "--table", "audit").splitlines()[1:]
    assert len(export) == 6 and all(json.loads(line)["key"].startswith("/mip4/audit/") for line in export)
    everything = running.ctl("export") + running.ctl("show", "audit")
    # Syslog has the same in RFC 5424, as soon as it is looked at.
    lines = [receiver.recv(4096).decode() for _ in range(6)]
    message = re.compile(
        r'<86>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S+ mip4d %d audit '
        r'\[mip4@8072 who="(\S*?)" origin="(\w+)" from="(\S*?)" verb="(\S+?)" what="(\S+?)" outcome="(\w+)"\] (.*)'
        % running.pid)
    read = [message.fullmatch(line).groups() for line in lines]
    assert [(who, origin, verb, what, outcome) for who, origin, _, verb, what, outcome, _ in read[2:]] == expected
    for text in [everything, *lines]:
        assert SECRET not in text and KEY.hex() not in text


@root_only
def test_what_operators_may_not_do_is_told_too(open_site):  # noqa: F811
    running = open_site.ours
    etcdctl = ["etcdctl", f"--endpoints=unix://{running.directory}/store.sock"]
    for _ in range(3):
        done = as_somebody([*etcdctl, "put", "/mip4/audit/000000000000005/1", "{}"], group="games")
        assert done.returncode != 0 and "only daemons write" in done.stderr
    done = as_somebody([*etcdctl, "put", "/mip4/operations/1", json.dumps({"id": 1})], group="games")
    assert done.returncode != 0
    program = shutil.copy(MIP4CTL, running.directory.parent / "mip4ctl")
    store = f"unix:{running.directory}/store.sock"
    done = as_somebody([program, "--store", store, "revoke", "binding", "--all", "--yes"], group="games")
    assert done.returncode == 0, done
    rows = running.rows("show", "audit", "--who", "nobody")
    assert [(row["verb"], row["what"], row["outcome"].split(":")[0]) for row in rows] == [
        # The same again and again is told once.
        ("write", "audit/000000000000005/1", "refused"),
        ("write", "operations/1", "refused"),
        ("revoke-bindings", "operations/1", "asked"),
    ], rows
    assert rows == running.rows("show", "audit", "--refused") + rows[2:]
    # Who may only look is not told: he could fill the trail.
    done = as_somebody([program, "--store", f"unix:{running.directory}/view.sock", "operation", "cancel", "1"])
    assert done.returncode == 8
    assert len(running.rows("show", "audit", "--refused")) == 2


def test_who_owns_the_store_writes_the_trail_alone(daemon, tmp_path):
    site = AtHomeAgent(daemon)
    running = site.ours
    assert running.stop() == 0
    key = tmp_path / "key"
    key.write_text(f"hex:{SECRET}\n")
    key.chmod(0o600)
    store = f"sled:{running.directory}/store"
    running.ctl("association", "add", "10.99.0.9", "--spi", "1000", "--key-file", str(key), store=store)
    rows = json.loads(running.ctl("-o", "json", "show", "audit", "--origin", "cli", store=store))["rows"]
    assert [(row["who"], row["verb"], row["what"]) for row in rows] == [
        ("root" if os.geteuid() == 0 else rows[0]["who"], "create", "associations/address=10.99.0.9/1000")]
    site.peer.close()
    site.node.socket.close()
