"""The SNMP engine of `agent`, asked by the tools of Net-SNMP."""

import os
import re
import subprocess
import time

import pytest

from harness import BIN_DIR, ROOT, Process, free_port, v3, wait_until

TABLE = ".1.3.6.1.4.1.8072.9999.9999.435"
BOOTS = ".1.3.6.1.6.3.10.2.1.2.0"
ROWS = 500
AUTHENTICATION = ["MD5", "SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512"]
PRIVACY = ["DES", "AES", "AES-192", "AES-256"]


class Engine(Process):
    """`agent/examples/serve.rs`, with a table of ROWS rows."""

    def __init__(self, *arguments):
        program = BIN_DIR / "examples" / "serve"
        if not program.exists() or not os.environ.get("MIP4_BIN_DIR"):
            command = ["cargo", "build", "-q", "-p", "agent", "--example", "serve"]
            subprocess.run(command, cwd=ROOT, check=True)
        super().__init__([str(program), str(ROWS), *arguments])
        word, port = self.child.stdout.readline().split()
        assert word == "ready"
        self.address = f"udp:127.0.0.1:{port}"


@pytest.fixture(scope="module")
def engine():
    started = Engine()
    yield started
    started.child.kill()
    started.child.wait()


def run(tool, engine, *arguments, timeout=30):
    command = [tool, "-t", "2", "-r", "1", "-On", "-m", "", *arguments[:-1], engine.address, arguments[-1]]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def answer(tool, engine, *arguments):
    done = run(tool, engine, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def names(text):
    return [tuple(map(int, name.split("."))) for name in re.findall(r"^\.([\d.]+) = ", text, re.M)]


@pytest.mark.parametrize("priv", PRIVACY)
@pytest.mark.parametrize("auth", AUTHENTICATION)
def test_every_pair_of_protocols(engine, auth, priv):
    options = v3(f"{auth}_{priv}", auth=auth, priv=priv)
    assert answer("snmpget", engine, *options, BOOTS) == f"{BOOTS} = INTEGER: 7\n"
    # Larger than one block of any cipher, and of every length modulo 8 and 16.
    walked = answer("snmpbulkwalk", engine, *options, "-Cr7", f"{TABLE}.1.2")
    assert len(names(walked)) == ROWS
    assert walked.splitlines()[-1] == f'{TABLE}.1.2.{ROWS} = STRING: "row {ROWS}"'


@pytest.mark.parametrize("auth", AUTHENTICATION)
def test_authentication_alone(engine, auth):
    options = v3(auth, "authNoPriv", auth)
    assert answer("snmpget", engine, *options, BOOTS) == f"{BOOTS} = INTEGER: 7\n"


def test_no_authentication(engine):
    assert "INTEGER: 7" in answer("snmpget", engine, *v3("nobody", "noAuthNoPriv"), BOOTS)


@pytest.mark.parametrize(
    "options, words, counter",
    [
        (v3("stranger", "noAuthNoPriv"), "Unknown user name", 3),
        (v3("SHA", "authNoPriv", "SHA", auth_password="another-word"), "Authentication failure", 5),
        (v3("SHA", auth="SHA", priv="AES"), "Unsupported security level", 1),
        (["-e", "0x8000000001020304", *v3("nobody", "noAuthNoPriv")], "", 4),
    ],
)
def test_refusals_are_reported_and_counted(engine, options, words, counter):
    def counted():
        text = answer("snmpget", engine, "-v2c", "-c", "public", f".1.3.6.1.6.3.15.1.1.{counter}.0")
        return int(text.split()[-1])

    before = counted()
    refused = run("snmpget", engine, *options, BOOTS)
    assert refused.returncode != 0 and words in refused.stderr
    assert counted() > before


def test_a_wrong_privacy_password_gets_nothing(engine):
    options = v3("SHA_AES", auth="SHA", priv="AES", priv_password="another-word")
    assert run("snmpget", engine, "-r0", "-t1", *options, BOOTS).returncode != 0


def test_an_unknown_context_is_reported(engine):
    refused = run("snmpget", engine, "-n", "elsewhere", *v3("nobody", "noAuthNoPriv"), BOOTS)
    assert "Bad context" in refused.stderr


def test_access_needs_the_level_of_the_user(engine):
    refused = run("snmpget", engine, *v3("SHA_AES", "authNoPriv", "SHA"), BOOTS)
    assert refused.returncode != 0
    assert "authorizationError" in refused.stdout + refused.stderr


@pytest.mark.parametrize("tool", ["snmpwalk", "snmpbulkwalk"])
def test_walks_are_complete_and_in_order(engine, tool):
    walked = names(answer(tool, engine, "-v2c", "-c", "public", TABLE))
    assert len(walked) == 3 * ROWS
    assert walked == sorted(set(walked))


def test_version_1_walks_without_counter64(engine):
    walked = names(answer("snmpwalk", engine, "-v1", "-c", "public", TABLE))
    assert len(walked) == 2 * ROWS


def test_the_other_tools(engine):
    community = ["-v2c", "-c", "public"]
    assert names(answer("snmpgetnext", engine, *community, TABLE)) == [
        tuple(map(int, f"{TABLE}.1.1.1"[1:].split(".")))
    ]
    bulk = answer("snmpbulkget", engine, *community, "-Cn0", "-Cr1000", TABLE)
    assert len(names(bulk)) == 1000
    assert "No Such Object" in answer("snmpget", engine, *community, f"{TABLE}.9.9")
    assert "No Such Instance" in answer("snmpget", engine, *community, f"{TABLE}.1.1.{ROWS + 1}")


def test_a_wrong_community_is_not_answered(engine):
    done = run("snmpget", engine, "-r0", "-t1", "-v2c", "-c", "private", BOOTS)
    assert "Timeout" in done.stderr


TRAPD = """
authCommunity log public
createUser -e 0x80001f880474657374 SHA-256_AES SHA-256 authentication AES privacy-privacy
createUser SHA-256_AES SHA-256 authentication AES privacy-privacy
authUser log SHA-256_AES authpriv
format1 v1 %w.%q %v\\n
format2 v2 %V,%v\\n
"""


@pytest.fixture
def receiver(tmp_path):
    """`snmptrapd`, with what it logs in a file."""
    (tmp_path / "snmptrapd.conf").write_text(TRAPD)
    port, log = free_port(), tmp_path / "log"
    command = ["snmptrapd", "-f", "-C", "-c", str(tmp_path / "snmptrapd.conf"), "-n", "-On", "-m", ""]
    command += ["--persistentDir=" + str(tmp_path), "-Lf", str(log), f"udp:127.0.0.1:{port}"]
    environment = {**os.environ, "SNMP_PERSISTENT_FILE": str(tmp_path / "persistent.conf")}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    wait_until(lambda: log.exists() and "NET-SNMP version" in log.read_text(), what="snmptrapd")
    yield port, lambda: log.read_text()
    process.kill()
    process.wait()


def test_notifications_of_every_version_arrive(receiver):
    port, log = receiver
    cold_start = ".1.3.6.1.6.3.1.1.5.1"
    sender = Engine(str(port))
    try:
        # Traps of versions 2 and 3, informs of versions 2 and 3.
        wait_until(lambda: log().count(cold_start) >= 4 and "v1 0.0" in log(), what="the notifications")

        def counted(counter):
            text = answer("snmpget", sender, "-v2c", "-c", "public", f".1.3.6.1.2.1.11.{counter}.0")
            return int(text.split()[-1])

        assert counted(29) == 3, "traps"
        assert log().count(cold_start) == 4
        time.sleep(1.5)
        assert log().count(cold_start) == 4, "acknowledged informs are not sent again"
        # Somebody asks with a wrong community: `authenticationFailure` to all.
        run("snmpget", sender, "-r0", "-t1", "-v2c", "-c", "wrong", BOOTS)
        wait_until(lambda: log().count(".1.3.6.1.6.3.1.1.5.5") >= 4, what="authenticationFailure")
    finally:
        sender.child.kill()
        sender.child.wait()
