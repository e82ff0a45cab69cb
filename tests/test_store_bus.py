"""The store is readable with etcd's own client, and shows no secret."""

import os
import subprocess

from harness import wait_until
from node import KEY, Node

HOME = "10.99.0.7"
ONE = {"peer": HOME, "spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()}


def etcdctl(directory, *words):
    """With a relative path: an absolute one makes the client send an `:authority` that HTTP/2 refuses."""
    return subprocess.run(
        ["etcdctl", "--endpoints=unix://store.sock", *words], cwd=directory, capture_output=True, timeout=60,
        env={**os.environ, "ETCDCTL_API": "3"},
    )


def test_etcdctl_lists_the_rows_and_no_secret(daemon):
    served = daemon(associations=[ONE]).start()
    assert Node(("127.0.0.1", served.mip_port), HOME).register().code == 0
    wait_until(lambda: served.counter("haRegistrationAccepted") == 1)
    listed = etcdctl(served.directory, "get", "--prefix", "/mip4/")
    assert listed.returncode == 0, listed.stderr
    keys = [line for line in listed.stdout.decode().splitlines() if line.startswith("/mip4/")]
    assert {key.split("/")[2] for key in keys} >= {
        "associations", "bindings", "counters", "instances", "node_counters", "nodes",
    }
    everything = etcdctl(served.directory, "get", "--prefix", "")
    for listing in (listed, everything):
        assert KEY not in listing.stdout and KEY.hex().encode() not in listing.stdout
        assert b"/mip4-secret/" not in listing.stdout


def test_the_keys_of_associations_are_sealed_on_the_disk(daemon):
    served = daemon(associations=[ONE]).start()
    served.stop()
    for path in (served.directory / "store").rglob("*"):
        if path.is_file():
            octets = path.read_bytes()
            assert KEY not in octets and KEY.hex().encode() not in octets, path


def test_nothing_that_is_shown_or_logged_has_a_key(daemon):
    served = daemon(associations=[ONE], extra='\n[log]\nlevel = "trace"\n').start()
    assert Node(("127.0.0.1", served.mip_port), HOME).register().code == 0
    shown = "".join(
        served.ctl("-o", output, "show", what)
        for output in ("json", "csv", "table")
        for what in ("associations", "bindings", "nodes", "status", "statistics")
    )
    shown += "\n".join(served.snmp("snmpbulkwalk", "1.3.6.1"))
    shown += served.ctl("export")
    served.stop()
    shown += "".join(served.errors)
    assert KEY.hex() not in shown and repr(KEY)[2:-1] not in shown
