"""Rows of configuration: who may change them, when they are in force, and how long they last."""

import json
import os
import signal
import subprocess

from harness import wait_until
from node import KEY, Node

HOME, OTHER = "10.99.0.7", "10.99.0.8"


def association(peer, spi=1000, **more):
    return {"peer": peer, "spi": spi, "algorithm": "hmac-md5", "key": KEY.hex(), **more}


def etcdctl(served, *words):
    done = subprocess.run(
        ["etcdctl", f"--endpoints=unix://{served.directory}/store.sock", *words], capture_output=True, text=True,
        timeout=60, env={**os.environ, "ETCDCTL_API": "3"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def put(served, path, row):
    """Writes a row as another daemon does."""
    etcdctl(served, "put", path, json.dumps(row))


def node(served, peer=HOME):
    made = Node(("127.0.0.1", served.mip_port), peer)
    made.socket.settimeout(0.5)
    return made


def status(served):
    (row,) = served.rows("show", "status")
    return row


def origins(served):
    return {(row["peer"], row["spi"]): row["origin"] for row in served.rows("show", "associations")}


def test_what_a_command_changes_is_in_force_when_it_ends(daemon, tmp_path):
    served = daemon(associations=[]).start()
    file = tmp_path / "key"
    file.write_text(f"hex:{KEY.hex()}\n")
    file.chmod(0o600)
    for spi in range(1000, 1005):
        served.ctl("association", "add", HOME, "--spi", str(spi), "--key-file", str(file))
        fresh = Node(("127.0.0.1", served.mip_port), HOME, spi=spi)
        assert fresh.register().code == 0, "at once, without waiting for anything"
    stored = json.loads(etcdctl(served, "get", f"/mip4/associations/address={HOME}/1000", "--print-value-only"))
    assert stored["origin"] == "cli" and stored["changed"]["by"] == "root"
    refused = json.loads(
        served.ctl("-o", "json", "association", "add", HOME, "--spi", "2000", "--tolerance", "1", "--key-file",
                   str(file), expect=5)
    )
    assert "`tolerance`" in refused["error"]["message"]


def test_a_setting_stops_an_agent_and_says_so(daemon):
    served = daemon(associations=[association(HOME)]).start()
    name = status(served)["name"]
    assert node(served).register().code == 0
    setting = {"scope": {"instance": name}, "kind": "enabled", "origin": "snmp", "storage": "non-volatile", "active": True}
    path = f"/mip4/config/instance={name}/enabled"
    put(served, path, {**setting, "enabled": False})
    wait_until(lambda: node(served).register() is None, what="silence")
    served.kill()
    served.start()
    assert node(served).register() is None, "it survives a restart"
    put(served, path, {**setting, "enabled": True})
    wait_until(lambda: node(served).register(), what="an answer")

    unheard = {**setting, "kind": "home-agent", "index": {"address": "192.0.2.1"}}
    put(served, f"/mip4/config/instance={name}/home-agent/ip=192.0.2.1", unheard)
    wait_until(lambda: "no part of this daemon acts on `home-agent`" in str(status(served)["apply_error"]), what="the reason")


def test_rows_of_the_file_follow_it_and_nobody_else(daemon):
    served = daemon(associations=[association(HOME), association(OTHER)]).start()
    assert origins(served) == {(HOME, 1000): "file", (OTHER, 1000): "file"}
    served.ctl("association", "delete", HOME, "--spi", "1000", expect=5)
    assert origins(served)[(HOME, 1000)] == "file"
    text = served.config.read_text()
    begin = text.rindex("[[association]]")
    served.config.write_text(text[:begin] + text[begin:].replace(OTHER, "10.99.0.9"))
    served.child.send_signal(signal.SIGHUP)
    wait_until(lambda: set(origins(served)) == {(HOME, 1000), ("10.99.0.9", 1000)}, what="the new file")
    assert node(served, "10.99.0.9").register().code == 0

    served.config.write_text(text + "nonsense = 1\n")
    served.child.send_signal(signal.SIGHUP)
    wait_until(lambda: "nonsense" in str(status(served)["apply_error"]), what="the error of the file")
    assert set(origins(served)) == {(HOME, 1000), ("10.99.0.9", 1000)}, "a wrong file changes nothing"
    served.config.write_text(text)
    served.child.send_signal(signal.SIGHUP)
    wait_until(lambda: status(served)["apply_error"] is None, what="the error to be gone")


def test_rows_last_as_long_as_their_storage_type_says(daemon):
    served = daemon(associations=[]).start()
    for number, storage in enumerate(("volatile", "non-volatile", "permanent")):
        peer = f"10.99.1.{number}"
        put(served, f"/mip4/associations/address={peer}/1000", {
            "peer": {"address": peer}, "spi": 1000, "algorithm": "hmac-md5", "replay": "timestamps", "tolerance": 7,
            "origin": "snmp", "storage": storage, "active": False,
        })
    assert len(origins(served)) == 3
    served.ctl("association", "delete", "10.99.1.2", "--spi", "1000", expect=5)
    served.stop()
    served.start()
    assert set(origins(served)) == {("10.99.1.1", 1000), ("10.99.1.2", 1000)}


def test_an_instance_says_how_it_is_until_it_is_gone(daemon):
    served = daemon(associations=[association(HOME)]).start()
    row = wait_until(lambda: (row := status(served))["applied_revision"] > 0 and row, what="the configuration to be in force")
    assert (row["state"], row["freshness"], row["roles"]) == ("serving", "live", ["home-agent", "snmp", "store"])
    assert row["addresses"] == ["127.0.0.1"] and row["version"] and row["started_at"] and row["heartbeat_at"]
    assert row["clock_step_milliseconds"] == 0 and row["apply_error"] is None
    served.ctl("wait", "serving", "--timeout", "20s")
    assert served.stop() == 0
    store = f"sled:{served.directory}/store"
    (gone,) = json.loads(served.ctl("-o", "json", "show", "status", store=store))["rows"]
    assert (gone["state"], gone["freshness"]) == ("gone", "gone")
    served.ctl("wait", "serving", "--timeout", "300ms", store=store, expect=6)
