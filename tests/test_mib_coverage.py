"""Every object that both modules define and let be read is answered by a lab that is alive, but the traffic columns."""

import re
import subprocess

import pytest

import summary
from bulk import Client, END_OF_MIB_VIEW
from harness import MODULES, wait_until
from node import BURST, forge

#: Nothing forwards, so nothing is counted: MIP4-CAPABILITIES-MIB says so of these.
TRAFFIC = {
    "MIP-MIB": {
        f"{table}{column}" for table in ("haMobilityBinding", "faRegVisitor")
        for column in ("InPkts", "InOctets", "OutPkts", "OutOctets")
    },
    "MIP4-EXT-MIB": {
        f"mip4Ext{table}{column}" for table in ("Binding", "Visitor")
        for column in ("InPkts", "InOctets", "OutPkts", "OutOctets")
    },
}

ROOTS = {"MIP-MIB": "mipMIB", "MIP4-EXT-MIB": "mip4ExtMIB"}

DEFINITION = re.compile(r"^(\w+)\s+OBJECT-TYPE\s(.*?)::=\s*\{\s*\w+\s+\d+\s*\}", re.DOTALL | re.MULTILINE)
READABLE = {"read-only", "read-write", "read-create"}


def translate(*words):
    done = subprocess.run(
        ["snmptranslate", "-M", str(MODULES), "-m", "ALL", *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def readable(module):
    """The objects of a module that can be read, by name, with their OIDs as Net-SNMP has them."""
    text = re.sub(r"--.*", "", (MODULES / f"{module}.txt").read_text())
    names = []
    for name, body in DEFINITION.findall(text):
        (access,) = re.search(r"MAX-ACCESS\s+([\w-]+)", body).groups()
        if access in READABLE:
            names.append(name)
    oids = translate("-On", *(f"{module}::{name}" for name in names)).split()
    assert len(oids) == len(names)
    return {name: tuple(map(int, oid.lstrip(".").split("."))) for name, oid in zip(names, oids)}


def root(module):
    return tuple(map(int, translate("-On", f"{module}::{ROOTS[module]}").strip().lstrip(".").split(".")))


def busy(lab):
    """A lab in which everything has happened of which an object tells."""
    running = lab(nodes=8, words=["--home-agents", "2", "--foreign-agents", "2", "--gateways", "1"])
    running.ctl("revoke", "binding", "--home-address", "10.99.0.8", "--yes")
    running.ctl("revoke", "visitor", "--home-address", "10.99.0.7", "--yes")
    # The nodes' own rows are written a moment after they have registered.
    wait_until(lambda: any(row["accepted"] for row in running.rows("show", "registrations")), what="a registration")
    running.ctl("notify", "message", "hello", "--from", "mobile-node", "--to", "home-agent", "--all", "--yes")
    # One violation more than is usual within a minute.
    forge(("127.0.0.1", running.mip_port), "10.99.0.1", BURST + 1)
    wait_until(lambda: running.snmp_value("MIP4-EXT-MIB::mip4ExtAlarmCount.0") != "0", what="an alarm")
    return running


def columns_of(client, module, objects):
    """The objects of a module that a walk finds, each of which GET finds, too."""
    walked = [name for response in client.responses(root(module)) for name, _, _ in response]
    columns = {oid: name for name, oid in objects.items()}
    length = {len(oid) for oid in columns}
    for name in walked[:: max(1, len(walked) // 200)]:
        status, ((_, tag, _),) = client.get(name)
        assert status == 0 and tag not in (0x80, 0x81, END_OF_MIB_VIEW), name
    return {columns[name[:size]] for name in walked for size in length if name[:size] in columns}


def test_every_readable_object_of_both_modules_is_answered_by_a_live_lab(lab):
    """A lab with home agents, a gateway, foreign agents beneath it, and mobile nodes."""
    client = Client(busy(lab).snmp_port)
    for module, traffic in TRAFFIC.items():
        objects = readable(module)
        missing = lambda: set(objects) - columns_of(client, module, objects)  # noqa: E731
        try:
            wait_until(lambda: missing() == traffic, what=f"all objects of {module}")
        except AssertionError as error:
            pytest.fail(f"{module}: {error}; not answered: {sorted(missing() - traffic)}; traffic: {sorted(traffic - missing())}")
        answered = len(objects) - len(traffic)
        summary.say(f"{module}: {answered} of {len(objects)} readable objects answered in a live lab, "
                    f"100 % less the {len(traffic)} traffic columns")
