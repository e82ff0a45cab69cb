"""`mip4d store`: verify, mend, fold, back up and bring back, in every way a store may be found."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

from harness import MIP4D
from node import KEY, NTP_EPOCH, Node
from test_crash import LOOP, acknowledged, homes


def store(*words, expect=0):
    """Runs `mip4d store WORDS`; returns what it printed to both streams."""
    done = subprocess.run(
        [MIP4D, "store", *map(str, words)], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL
    )
    assert done.returncode == expect, (words, done.returncode, done.stdout, done.stderr)
    return done


def document(*words, expect=0):
    """What it prints with `-o json`, which is one document, whatever happens."""
    return json.loads(store(*words, "-o", "json", expect=expect).stdout)


@pytest.fixture
def home_agent(daemon):
    return daemon(associations=[{"peer": home, "spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()} for home in homes()])


@pytest.fixture
def stopped(home_agent):
    """A home agent that served, with a binding, and was stopped."""
    home_agent.start()
    assert Node(("127.0.0.1", home_agent.mip_port), homes()[0]).register().code == 0
    home_agent.stop()
    return home_agent


def segment(served):
    return sorted((served.directory / "store" / "journal").iterdir())[-1]


def flip(path, at):
    octets = bytearray(path.read_bytes())
    octets[at] ^= 1
    path.write_bytes(octets)


def kept(row):
    return row["identification_high"] << 32 | row["identification_low"]


def test_a_backup_made_while_nodes_register_restores_every_row_acknowledged_before_it(home_agent, tmp_path, daemon):
    """The drill: back up under load, bring it back elsewhere, start, and compare."""
    home_agent.start()
    loop = subprocess.Popen(
        [sys.executable, LOOP, str(home_agent.mip_port), str(len(homes())), "4"], stdout=subprocess.PIPE, text=True
    )
    time.sleep(1.5)
    begun = time.time()
    answer = document("backup", tmp_path / "backup", "--config", home_agent.config)
    ended = time.time()
    output, _ = loop.communicate(timeout=60)
    before = acknowledged("".join(line + "\n" for line in output.splitlines() if float(line.split()[3]) < begun))
    assert len(before) > 30
    assert home_agent.stop() == 0

    elsewhere = daemon(associations=[{"peer": home, "spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()} for home in homes()])
    report = document("restore", tmp_path / "backup", "--config", elsewhere.config)
    assert report["revision"] == answer["revision"] == report["checkpoint"]
    assert "secret.key" in report["key_fault"], "a key of its own does not open what was sealed with another"
    shutil.copy(home_agent.directory / "secret.key", elsewhere.directory / "secret.key")
    assert document("check", "--config", elsewhere.config)["key_fault"] is None

    elsewhere.start()
    rows = {row["home_address"]: row for row in elsewhere.rows("show", "bindings")}
    for home, (identification, lifetime, at) in before.items():
        assert kept(rows[home]) >= identification, f"{home}: acknowledged before the backup, and not in it"
        assert rows[home]["lifetime_granted"] == lifetime
    # And nothing of later: an Identification is the time of its request (RFC 5944 §5.7.1).
    assert all((kept(row) >> 32) - NTP_EPOCH <= ended + 1 for row in rows.values())
    # The secrets are those of the old store: a node registers with its key.
    assert Node(("127.0.0.1", elsewhere.mip_port), homes()[0]).register().code == 0


def test_a_store_in_use_can_be_checked_and_not_mended(home_agent):
    home_agent.start()
    report = document("check", "--config", home_agent.config)
    rows = {row["table"]: row["rows"] for row in report["rows"]}
    assert rows["associations"] == len(homes()) == report["secrets"]
    assert report["format"] >= 2 and report["revision"] >= report["mark"]
    for command in ("repair", "compact"):
        error = document(command, "--config", home_agent.config, expect=3)["error"]
        assert error["kind"] == "in-use" and error["process_id"] == home_agent.pid
        assert str(home_agent.pid) in store(command, "--config", home_agent.config, expect=3).stderr


def test_what_is_damaged_is_named_and_never_served(stopped):
    """The daemon refuses to start; a repair keeps what is good, and what was found."""
    report = document("check", "--config", stopped.config)
    file = segment(stopped)
    at = file.stat().st_size * 2 // 3
    flip(file, at)
    error = document("check", "--config", stopped.config, expect=1)["error"]
    assert error["kind"] == "damaged" and error["file"] == str(file) and error["offset"] <= at
    assert error["good"] < report["revision"] == error["written"]
    said = store("check", "--config", stopped.config, expect=1).stderr
    assert f"good up to revision {error['good']}, written up to revision {error['written']}" in said
    assert "mip4d store repair" in said

    run = subprocess.run([MIP4D, "run", "--config", str(stopped.config)], capture_output=True, text=True, timeout=60)
    assert run.returncode == 3 and str(file) in run.stderr, run
    assert f"revision {error['good']}" in run.stderr and f"revision {error['written']}" in run.stderr

    found = file.read_bytes()
    repaired = document("repair", "--config", stopped.config)
    assert repaired["revision"] == error["good"] and repaired["lost"] == error["written"] - error["good"]
    assert (pathlib.Path(repaired["aside"]) / file.name).read_bytes() == found
    assert document("check", "--config", stopped.config)["revision"] == error["good"]
    stopped.start()
    assert len(stopped.rows("show", "associations")) == len(homes())


def test_a_damaged_checkpoint_takes_a_backup(stopped, tmp_path):
    document("backup", tmp_path / "backup", "--config", stopped.config)
    folded = document("compact", "--config", stopped.config)
    assert folded["checkpoint"] == folded["revision"] and folded["journal"]["commits"] == 0
    big = max((path for path in (stopped.directory / "store").glob("checkpoint-*/**/*") if path.is_file()), key=lambda path: path.stat().st_size)
    flip(big, big.stat().st_size // 2)
    error = document("check", "--config", stopped.config, expect=1)["error"]
    assert error["kind"] == "damaged" and error["file"] == str(big)
    assert error["written"] == folded["revision"]
    assert document("repair", "--config", stopped.config, expect=1)["error"]["file"] == str(big)
    refused = document("restore", tmp_path / "backup", "--config", stopped.config, expect=5)["error"]
    assert refused["kind"] == "refused" and "nothing is ever overwritten" in refused["hint"]
    (stopped.directory / "store").rename(tmp_path / "damaged")
    document("restore", tmp_path / "backup", "--config", stopped.config)
    stopped.start()
    assert [row["home_address"] for row in stopped.rows("show", "bindings")] == [homes()[0]]


def test_mistakes_are_answered_in_words(stopped, tmp_path):
    nowhere = document("check", "--path", tmp_path / "nowhere", expect=3)["error"]
    assert nowhere["kind"] == "not-found" and "there is no store" in nowhere["message"]
    assert not (tmp_path / "nowhere").exists()
    taken = tmp_path / "taken"
    taken.write_text("mine")
    refused = document("backup", taken, "--config", stopped.config, expect=5)["error"]
    assert str(taken) in refused["message"] and taken.read_text() == "mine"
    damaged = document("restore", taken, "--path", tmp_path / "new", expect=1)["error"]
    assert damaged["kind"] == "damaged" and not (tmp_path / "new").exists()
    wrong = document("check", "--config", tmp_path / "missing.toml", expect=5)["error"]
    assert "missing.toml" in wrong["message"]
    (stopped.directory / "secret.key").unlink()
    keyless = store("check", "--config", stopped.config, expect=1)
    assert "secret.key" in keyless.stderr and "sealed secrets" in keyless.stdout
    connected = tmp_path / "connected.toml"
    connected.write_text('[store]\nconnect = "unix:/run/mip4/store.sock"\n')
    assert "--path" in store("check", "--config", connected, expect=5).stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_what_root_mends_still_belongs_to_the_daemon(stopped, tmp_path):
    folder = stopped.directory / "store"
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 12345, 12346)
    document("compact", "--config", stopped.config)
    document("check", "--config", stopped.config)
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in (folder, *folder.rglob("*"))}
    assert owners == {(12345, 12346)}


@pytest.mark.parametrize("earlier, revision", [(1, 29), (2, 46)])
def test_a_store_of_an_earlier_format_is_upgraded_when_it_is_opened(tmp_path, daemon, earlier, revision):
    fixture = pathlib.Path(__file__).parent.parent / "store" / "fixtures" / f"format-{earlier}.tar.gz"
    old = daemon(associations=[{"peer": "10.99.0.7", "spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()}])
    subprocess.run(["tar", "xzf", str(fixture), "-C", str(old.directory)], check=True)
    before = document("check", "--config", old.config)
    assert before["format"] == earlier and before["revision"] == revision
    # One registration more than the example made; its lifetime is over, so a home agent lets it go.
    assert {"table": "bindings", "rows": 1001} in before["rows"] and before["secrets"] == 1
    old.start()
    assert len(old.rows("show", "bindings")) == 1000
    assert Node(("127.0.0.1", old.mip_port), "10.99.0.7").register().code == 0
    old.stop()
    after = document("check", "--config", old.config)
    assert {"table": "bindings", "rows": 1001} in after["rows"]
    assert after["format"] == 3 and after["revision"] > revision
    # The checkpoint that was there is read by either; a new one has the same rows in fewer octets.
    document("compact", "--config", old.config)
    compacted = document("check", "--config", old.config)
    assert compacted["rows"] == after["rows"] and compacted["secrets"] == after["secrets"] == 1
    assert compacted["octets"] < after["octets"]
