"""Operations over SNMP: asked for over SNMPv3 with encryption by who has a view of them, followed, and told when they end."""

import subprocess

import pytest

from harness import ASSOCIATION, MODULES, WRITING_USER, snmp_user, wait_until
from node import KEY
from notification import Peer
from test_revocation_peers import HOME, AtHomeAgent, association, counted
from test_snmp_set import TrapReceiver

USERS = snmp_user("operator", write=True, view=["1.3.6.1", "1.3.6.1.4.1.8072.9999.9999.434.1.9"]) + WRITING_USER + snmp_user(
    "reader") + """
[[snmp.target]]
name = "noc"
address = "udp:127.0.0.1:{trap_port}"
version = "2c"
community = "noc"
"""
ACTION, SELECTOR, MAXIMUM = "mip4ExtOperationAction", "mip4ExtOperationSelector", "mip4ExtOperationMaximum"
STATUS, WISH = "mip4ExtOperationRowStatus", "mip4ExtOperationWish"
TEXT, ALTERNATE, DELAY = "mip4ExtOperationText", "mip4ExtOperationAlternate", "mip4ExtOperationDelay"
LIMIT = "mip4ExtOperationTimeLimit"


@pytest.fixture
def site(daemon, tmp_path):
    traps = TrapReceiver(tmp_path)

    def with_users(**options):
        made = daemon(**options)
        made.config.write_text(made.config.read_text() + USERS.format(trap_port=traps.port))
        return made

    site = AtHomeAgent(with_users)
    site.traps = traps
    site.register()
    yield site
    site.peer.close()
    site.node.socket.close()
    traps.kill()


def snmpset(site, *words, user="operator", level="authPriv"):
    """Runs `snmpset`; returns what is wrong, if anything is."""
    options = ["-v3", "-l", level, "-u", user, "-a", "SHA-256", "-A", "authentication"]
    if level == "authPriv":
        options += ["-x", "AES", "-X", "privacy-privacy"]
    done = subprocess.run(
        ["snmpset", *options, "-t", "5", "-r", "1", "-Ir", "-M", str(MODULES), "-m", "MIP4-EXT-MIB",
         f"127.0.0.1:{site.ours.snmp_port}", *words], capture_output=True, text=True, timeout=60)
    return done.stderr if done.returncode else None


def request(number, selector="all", maximum=1, action="revokeBindings", status="createAndGo"):
    return [f"{ACTION}.{number}", "i", action, f"{SELECTOR}.{number}", "s", selector,
            f"{MAXIMUM}.{number}", "u", str(maximum), f"{STATUS}.{number}", "i", status]


def value(site, name):
    (line,) = site.ours.snmp("snmpget", f"MIP4-EXT-MIB::{name}", options=("-OQUv",))
    return line.strip().strip('"')


def test_an_operation_is_asked_for_followed_and_told(site):
    assert value(site, "mip4ExtOperationNextId.0") == "1"
    assert snmpset(site, *request(1), "mip4ExtOperationReason.1", "s", "night shift") is None
    octets = site.peer.receive(7)
    assert value(site, "mip4ExtOperationOpenCount.0") == "1"
    assert value(site, "mip4ExtOperationState.1") in ("running", "expanding")
    wait_until(lambda: value(site, f"mip4ExtRevocationPending.{agent(site)}") == "1",
               what="a target that is pending")
    site.peer.send(site.peer.acknowledgment(octets))
    wait_until(lambda: value(site, "mip4ExtOperationState.1") == "done", what="the end")
    # The shell shows the same, and who it was.
    (row,) = site.ours.rows("show", "operations")
    assert (row["who"], row["reason"], row["results"]) == ("snmp:operator", "night shift", {"acknowledged": 1})
    assert value(site, "mip4ExtOperationWho.1") == "snmp:operator"
    assert value(site, "mip4ExtOperationResultCount.1.acknowledged") == "1"
    walked = site.ours.snmp("snmpwalk", "MIP4-EXT-MIB::mip4ExtBindingTargetState", options=("-OQUv",))
    assert walked == ["acknowledged"]
    walked = site.ours.snmp("snmpwalk", "MIP4-EXT-MIB::mip4ExtBindingTargetState", options=("-OQUn",))
    assert f".1.127.0.0.1.{HOME}.127.0.0.2.0 = " in walked[0], walked
    # The audit trail has both ends of it.
    told = [(row["who"], row["origin"], row["verb"], row["outcome"])
            for row in site.ours.rows("show", "audit", "--what", "operations/1")]
    assert told == [("snmp:operator", "snmp", "revoke-bindings", "asked"), ("snmp:operator", "snmp", "end", "done")]
    wait_until(lambda: site.traps.got("mip4ExtOperationFinished"), what="the notification")
    assert "night shift" in site.traps.log.read_text()
    wait_until(lambda: counted(site.ours, "revocationsAcknowledged") == 1, what="the counter")
    assert [value(site, f"mip4ExtRevocation{name}.{agent(site)}") for name in ("Sent", "Acknowledged", "Retried", "Pending")] == [
        "1", "1", "0", "0"]


def agent(site):
    """The index of our home agent; the last part is text of no given length."""
    (row,) = [row for row in site.ours.rows("show", "status") if "home-agent" in row["roles"]]
    return f"homeAgent.127.0.0.1.'{row['name']}'"


def test_an_operation_with_failures_is_told_as_failed(site):
    assert snmpset(site, *request(1)) is None
    site.ours.ctl("wait", "operation", "1", "--timeout", "60s", expect=1)  # Nobody answers.
    wait_until(lambda: site.traps.got("mip4ExtOperationFailed"), what="the notification")
    assert value(site, "mip4ExtOperationFailures.1") == "1"
    assert value(site, "mip4ExtOperationResultCount.1.timedOut") == "1"


def test_pause_resume_and_cancel(site):
    assert snmpset(site, *request(1), f"{WISH}.1", "i", "pause") is None
    wait_until(lambda: value(site, "mip4ExtOperationState.1") == "paused", what="a pause")
    assert len(site.ours.rows("show", "bindings")) == 1
    assert snmpset(site, f"{WISH}.1", "i", "cancel") is None
    wait_until(lambda: value(site, "mip4ExtOperationState.1") == "cancelled", what="the end")
    assert "inconsistentValue" in snmpset(site, f"{WISH}.1", "i", "run")
    assert value(site, "mip4ExtOperationResultCount.1.notTried") == "1"
    assert len(site.ours.rows("show", "bindings")) == 1


def notify_counts(site, *names):
    return [value(site, f"mip4ExtNotify{name}.{agent(site)}") for name in names]


def test_a_message_is_sent_by_a_manager_acknowledged_and_counted(site):
    # Another node, which registers by itself and answers.
    site.ours.stop()
    # Nothing is sent twice while this looks at it: only the answer to what was sent last counts.
    text = site.ours.config.read_text() + "[home-agent.notification]\ntimeout = 60\n"
    site.ours.config.write_text(text + ASSOCIATION.format(**association("10.99.0.8", 1000)))
    site.ours.start()
    node = Peer(site.to, "10.99.0.8", key=KEY)
    assert node.register().code == 0
    words = "Wartung um zwölf"
    done = snmpset(site, *request(1, action="notifyMessage", selector="home-address=10.99.0.8"), f"{TEXT}.1", "s", words)
    assert done is None, done
    message, source = node.receive()
    assert (message.kind, message.direction, message.texts()) == (22, 0, [(1, words)])
    wait_until(lambda: notify_counts(site, "Sent", "Waiting", "Pending") == ["1", "1", "1"], what="one that waits")
    assert value(site, f"mip4ExtRevocationPending.{agent(site)}") == "0", "it is no revocation"
    node.answer(message, source)
    wait_until(lambda: value(site, "mip4ExtOperationState.1") == "done", what="the end")
    wait_until(lambda: notify_counts(site, "Acknowledged", "Waiting", "Pending", "TimedOut") == ["1", "0", "0", "0"], what="the counts")
    assert value(site, f"{TEXT}.1") == words and value(site, f"{ACTION}.1") == "notifyMessage"
    (row,) = site.ours.rows("show", "operations")
    assert (row["who"], row["results"]) == ("snmp:operator", {"acknowledged": 1})
    # One that says when the home agent ends, and where to go, and is refused.
    done = snmpset(site, *request(2, action="notifyShutdown", selector="home-address=10.99.0.8"), f"{DELAY}.2", "u", "600",
                   f"{ALTERNATE}.2", "a", "192.0.2.9")
    assert done is None, done
    message, source = node.receive()
    ((_, said),) = message.texts()
    assert said.startswith("ha-shutdown ") and "alternate=192.0.2.9" in said, said
    assert [value(site, f"{name}.2") for name in (DELAY, ALTERNATE, TEXT)] == ["600", "192.0.2.9", ""]
    node.answer(message, source, code=128)
    wait_until(lambda: value(site, "mip4ExtOperationState.2") == "done", what="the end")
    wait_until(lambda: notify_counts(site, "Sent", "Denied") == ["2", "1"], what="the counts")
    assert value(site, "mip4ExtOperationFailures.2") == "1"
    node.socket.close()


def test_a_drain_is_begun_and_cancelled_by_a_manager(site):
    state = lambda: {row["name"]: row["state"] for row in site.ours.rows("show", "status")}  # noqa: E731
    done = snmpset(site, *request(1, action="drain", selector="home-agent=127.0.0.1", maximum=10), f"{LIMIT}.1", "u", "600",
                   f"{ALTERNATE}.1", "a", "192.0.2.9")
    assert done is None, done
    wait_until(lambda: "draining" in state().values(), what="`draining`")
    (row,) = site.ours.rows("show", "operations")
    assert (row["action"], row["who"]) == ("drain", "snmp:operator"), row
    assert value(site, f"{ALTERNATE}.1") == "192.0.2.9" and 590 <= int(value(site, f"{LIMIT}.1").split()[0]) <= 600
    assert snmpset(site, f"{WISH}.1", "i", "cancel") is None
    wait_until(lambda: value(site, "mip4ExtOperationState.1") == "cancelled", what="the end")
    wait_until(lambda: "draining" not in state().values(), what="serving again")
    assert len(site.ours.rows("show", "bindings")) == 1
    # One that is done keeps the home agent out of service until that is taken back.
    done = snmpset(site, *request(2, action="drain", selector="home-agent=127.0.0.1", maximum=10), f"{LIMIT}.2", "u", "2")
    assert done is None, done
    wait_until(lambda: value(site, "mip4ExtOperationState.2") == "done", seconds=60, what="the end")
    assert "draining" in state().values()
    assert snmpset(site, f"{WISH}.2", "i", "cancel") is None
    wait_until(lambda: "draining" not in state().values(), what="serving again")


def test_who_may_not_and_what_may_not_be(site):
    for words, options, why in [
        # Operations are in no view unless it names them; and only what was encrypted counts.
        (request(1), {"user": "writer"}, "noAccess"),
        (request(1), {"user": "reader"}, "noAccess|authorizationError|noSuchName|Reason"),
        (request(1), {"level": "authNoPriv"}, "authorizationError|Authorization"),
        # Another number, more than may be, nothing at all, and words that say nothing.
        (request(2), {}, "inconsistentName"),
        (request(1, selector="network=10.98.0.0/16"), {}, "inconsistentValue"),
        (request(1, selector="everything"), {}, "wrongValue"),
        # A drain of nobody in particular, and without an end; a message without words; a revocation with words.
        (request(1, action="drain"), {}, "inconsistentValue"),
        (request(1, action="drain", selector="home-agent=127.0.0.1"), {}, "inconsistentValue"),
        (request(1, action="drain", selector="home-agent=127.0.0.1")
         + [f"{LIMIT}.1", "u", "60", f"{ALTERNATE}.1", "a", "127.0.0.1"], {}, "inconsistentValue"),
        (request(1, action="notifyMessage"), {}, "inconsistentValue"),
        (request(1) + [f"{TEXT}.1", "s", "good bye"], {}, "inconsistentValue"),
        (request(1, action="notifyMessage") + [f"{TEXT}.1", "s", "x" * 255], {}, "wrongLength|wrongValue|range|Bad"),
        (request(1, action="notifyMessage") + [f"{TEXT}.1", "s", "hi"], {"level": "authNoPriv"}, "authorizationError|Authorization"),
        (request(1, status="createAndWait"), {}, "wrongValue"),
        (request(1)[:-3], {}, "inconsistentName"),
        (request(1)[3:], {}, "inconsistentValue"),
        ([f"{WISH}.1", "i", "cancel"], {}, "inconsistentName"),
        ([f"{STATUS}.1", "i", "destroy"], {}, "wrongValue"),
        (["mip4ExtOperationWho.1", "s", "me"], {}, "notWritable|noAccess|not.*writable"),
    ]:
        said = snmpset(site, *words, **options)
        assert said and any(word.lower() in said.lower() for word in why.split("|")), (words, options, said)
    assert site.ours.rows("show", "operations") == []
    assert len(site.ours.rows("show", "bindings")) == 1
    assert value(site, "mip4ExtOperationCount.0") == "0"
