"""Every tool of Net-SNMP, and pysnmp, against the engine, with every pair of protocols."""

import concurrent.futures
import os
import pathlib
import subprocess

import pytest

from harness import MODULES, free_port, v3, wait_until
from test_snmp_engine import AUTHENTICATION, BOOTS, PRIVACY, ROWS, TABLE, Engine, engine, names  # noqa: F401

ENGINE_ID = "0x80001f880474657374"
PAIRS = [(auth, priv) for auth in AUTHENTICATION for priv in PRIVACY]
LOCATION = ".1.3.6.1.2.1.1.6.0"
COLD_START = ".1.3.6.1.6.3.1.1.5.1"


def tool(engine, name, options, *arguments, modules="", names_as="-On", fails=False, timeout=60):
    """Runs one of the tools; returns what it printed."""
    command = [name, "-t", "5", "-r", "2", names_as, "-M", str(MODULES), "-m", modules, *options, engine.address, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    assert (done.returncode != 0) == fails, (command, done.returncode, done.stdout, done.stderr)
    return done.stdout + (done.stderr if fails else "")


def reads(engine, options, user):
    """The tools that read, as functions that can run at the same time."""

    def get():
        assert tool(engine, "snmpget", options, BOOTS) == f"{BOOTS} = INTEGER: 7\n"

    def get_next():
        assert names(tool(engine, "snmpgetnext", options, TABLE)) == [tuple(map(int, f"{TABLE[1:]}.1.1.1".split(".")))]

    def walk():
        assert len(names(tool(engine, "snmpwalk", options, ".1.3.6.1.6.3.10.2.1"))) == 4

    def bulk_walk():
        assert len(names(tool(engine, "snmpbulkwalk", options, "-Cr50", f"{TABLE}.1.2"))) == ROWS

    def bulk_get():
        assert len(names(tool(engine, "snmpbulkget", options, "-Cn1", "-Cr20", BOOTS, TABLE))) == 21

    def table():
        shown = tool(engine, "snmptable", options, "SNMP-VIEW-BASED-ACM-MIB::vacmSecurityToGroupTable",
                     modules="SNMP-VIEW-BASED-ACM-MIB", names_as="-Ob")
        assert "vacmGroupName" in shown and "readOnly" in shown

    def status():
        assert "mip4d" in tool(engine, "snmpstatus", options) or "Up:" in tool(engine, "snmpstatus", options)

    def delta():
        command = ["stdbuf", "-oL", "snmpdelta", "-t", "5", "-r", "2", "-m", "", *options, "-Cp", "1", engine.address,
                   ".1.3.6.1.2.1.11.1.0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            line = running.stdout.readline()
            running.kill()
        assert "/1 sec" in line or "/ 1 sec" in line or "sec" in line, line

    return [get, get_next, walk, bulk_walk, bulk_get, table, status, delta]


def writes(engine, options, auth, priv):
    """`snmpset`, `snmpusm` and `snmpvacm`: a user comes to be, is used, and goes."""
    user, new = f"{auth}_{priv}", f"new-{auth}-{priv}"
    tool(engine, "snmpset", options, LOCATION, "s", f"rack of {user}")
    group = f"group-{auth}-{priv}"
    tool(engine, "snmpusm", options, "create", new, user)
    tool(engine, "snmpvacm", options, "createSec2Group", "3", new, group)
    tool(engine, "snmpvacm", options, "createView", group, ".1.3.6.1")
    tool(engine, "snmpvacm", options, "createAccess", group, "3", "3", "1", group, group, group)
    cloned = v3(new, auth=auth, priv=priv)
    assert "INTEGER: 7" in tool(engine, "snmpget", cloned, BOOTS)
    # On behalf of somebody else; then the user itself, whose keys differ by now.
    tool(engine, "snmpusm", [*options, "-Ca"], "passwd", "authentication", "another-secret", new)
    changed = v3(new, auth=auth, priv=priv, auth_password="another-secret")
    assert "INTEGER: 7" in tool(engine, "snmpget", changed, BOOTS)
    tool(engine, "snmpget", cloned, BOOTS, fails=True)
    tool(engine, "snmpusm", [*changed, "-Cx"], "passwd", "privacy-privacy", "private-secret")
    own = v3(new, auth=auth, priv=priv, auth_password="another-secret", priv_password="private-secret")
    assert "INTEGER: 7" in tool(engine, "snmpget", own, BOOTS)
    tool(engine, "snmpvacm", options, "deleteAccess", group, "3", "3")
    tool(engine, "snmpvacm", options, "deleteView", group, ".1.3.6.1")
    tool(engine, "snmpvacm", options, "deleteSec2Group", "3", new)
    tool(engine, "snmpusm", options, "delete", new)
    assert "Unknown user name" in tool(engine, "snmpget", own, BOOTS, fails=True)


@pytest.mark.parametrize("auth", AUTHENTICATION)
def test_every_tool_with_every_pair(engine, auth):  # noqa: F811
    """The ciphers of one hash at the same time: `snmpdelta` waits for a second."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        running = []
        for priv in PRIVACY:
            user = f"{auth}_{priv}"
            options = v3(user, auth=auth, priv=priv)
            running += [pool.submit(read) for read in reads(engine, options, user)]
            running.append(pool.submit(writes, engine, options, auth, priv))
        for one in running:
            one.result()


def test_an_inform_to_the_engine_is_reported(engine):  # noqa: F811
    """It receives no notifications: `snmpinform` is told so."""
    for auth, priv in PAIRS[:: len(PRIVACY) + 1]:
        options = ["-e", ENGINE_ID, *v3(f"{auth}_{priv}", auth=auth, priv=priv)]
        said = tool(engine, "snmpinform", options, "", COLD_START, fails=True)
        assert said


@pytest.fixture
def receiver(tmp_path):
    """`snmptrapd` with every user, and what it logs."""
    users = [f"{auth}_{priv} {auth} authentication {priv} privacy-privacy" for auth, priv in PAIRS]
    lines = [f"createUser -e {ENGINE_ID} {user}" for user in users] + [f"createUser {user}" for user in users]
    lines += [f"authUser log {auth}_{priv} authpriv" for auth, priv in PAIRS]
    lines += ["format2 %P %V,%v\\n"]
    (tmp_path / "snmptrapd.conf").write_text("\n".join(lines) + "\n")
    port, log = free_port(), tmp_path / "log"
    command = ["snmptrapd", "-f", "-C", "-c", str(tmp_path / "snmptrapd.conf"), "-n", "-On", "-m", ""]
    command += ["-Lf", str(log), f"udp:127.0.0.1:{port}"]
    environment = {**os.environ, "SNMP_PERSISTENT_FILE": str(tmp_path / "persistent.conf")}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    wait_until(lambda: log.exists() and "NET-SNMP version" in log.read_text(), what="snmptrapd")
    yield port, lambda: log.read_text()
    process.kill()
    process.wait()


def test_traps_and_informs_with_every_pair_arrive(receiver):
    port, log = receiver
    sender = Engine(str(port), "pairs")
    try:
        for auth, priv in PAIRS:
            user = f"user {auth}_{priv},"
            wait_until(lambda user=user: log().count(user) >= 2, what=f"a trap and an inform of {user}")
        assert log().count("INFORM") >= len(PAIRS) and log().count("TRAP") >= len(PAIRS)
    finally:
        sender.kill()


PYSNMP_PAIRS = """
import sys
from pysnmp.hlapi import *
port, wanted = int(sys.argv[1]), sys.argv[2:]
AUTH = {"MD5": usmHMACMD5AuthProtocol, "SHA": usmHMACSHAAuthProtocol, "SHA-224": usmHMAC128SHA224AuthProtocol,
        "SHA-256": usmHMAC192SHA256AuthProtocol, "SHA-384": usmHMAC256SHA384AuthProtocol,
        "SHA-512": usmHMAC384SHA512AuthProtocol}
PRIV = {"DES": usmDESPrivProtocol, "AES": usmAesCfb128Protocol, "AES-192": usmAesBlumenthalCfb192Protocol,
        "AES-256": usmAesBlumenthalCfb256Protocol}
engine = SnmpEngine()
target = UdpTransportTarget(("127.0.0.1", port), timeout=5, retries=2)
table = ObjectIdentity("1.3.6.1.4.1.8072.9999.9999.435.1.1")
location = ObjectIdentity("1.3.6.1.2.1.1.6.0")
for pair in wanted:
    auth, priv = pair.split("_")
    user = UsmUserData(pair, "authentication", "privacy-privacy", authProtocol=AUTH[auth], privProtocol=PRIV[priv])
    def ask(command, *rest, **more):
        error, status, index, bound = next(command(engine, user, target, ContextData(), *rest, **more))
        assert not error and not status, (pair, str(error), str(status))
        return bound
    boots = ask(getCmd, ObjectType(ObjectIdentity("1.3.6.1.6.3.10.2.1.2.0")))
    assert int(boots[0][1]) == 7, boots
    assert int(ask(nextCmd, ObjectType(table))[0][1]) == 1
    seen = 0
    for error, status, index, bound in bulkCmd(engine, user, target, ContextData(), 0, 25, ObjectType(table),
                                               lexicographicMode=False):
        assert not error and not status, (pair, str(error))
        seen += len(bound)
        if seen >= 50:
            break
    set_to = OctetString("by pysnmp " + pair)
    assert ask(setCmd, ObjectType(location, set_to))[0][1] == set_to
print("done", len(wanted))
"""


def test_pysnmp_with_every_pair(engine, tmp_path):  # noqa: F811
    script = pathlib.Path(tmp_path) / "ask.py"
    script.write_text(PYSNMP_PAIRS)
    port = engine.address.rsplit(":", 1)[1]
    pairs = [f"{auth}_{priv}" for auth, priv in PAIRS]

    def run(some):
        return subprocess.run(
            ["/usr/bin/python3", "-W", "ignore", str(script), port, *some], capture_output=True, text=True, timeout=300
        )

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for some, done in zip((pairs[::2], pairs[1::2]), pool.map(run, (pairs[::2], pairs[1::2]))):
            assert done.stdout == f"done {len(some)}\n", (done.stdout, done.stderr)
