"""Alarms are raised by what happened, exactly, whoever looked at the time."""

from harness import wait_until
from node import BURST, forge
from test_walks import HOMES, three  # noqa: F401


def forge_at(running, count):
    forge(("127.0.0.1", running.mip_port), HOMES[0], count)


def violations(running):
    return int(running.snmp_value("MIP-MIB::mipSecTotalViolations.0"))


def alarms(running):
    if running.snmp_value("MIP4-EXT-MIB::mip4ExtAlarmCount.0") == "0":
        return []
    return running.snmp("snmpwalk", "MIP4-EXT-MIB::mip4ExtAlarmCause", options=("-OQUev",))


def test_a_burst_is_one_violation_more_than_is_usual(daemon):
    running = daemon(associations=[one(home) for home in HOMES[:1]]).start()
    forge_at(running, BURST)
    wait_until(lambda: violations(running) == BURST, what="all violations")
    # The engine looks once a second: it has seen all of them when its own time has gone on for two.
    before = ticks(running)
    wait_until(lambda: ticks(running) >= before + 200, what="two seconds")
    assert alarms(running) == []
    forge_at(running, 1)
    (cause,) = wait_until(lambda: alarms(running), what="the alarm")
    assert f"{BURST + 1} security violations within a minute" in cause, cause


def test_a_burst_before_the_engine_was_there_is_raised_when_it_comes(three):  # noqa: F811
    for running in (three.owner, three.home):
        running.start()
    forge_at(three, BURST + 20)
    wait_until(lambda: sum(row["count"] for row in three.home.rows("show", "violations")) > 0, what="violations in the store")
    total = lambda: sum(row["values"].get("mipSecTotalViolations", 0) for row in three.home.rows("show", "statistics"))  # noqa: E731
    wait_until(lambda: total() == BURST + 20, what="the counter in the store")
    three.snmp.start()
    (cause,) = wait_until(lambda: alarms(three.snmp), what="the alarm")
    assert f"{BURST + 20} security violations within a minute" in cause, cause


def ticks(running):
    (line,) = running.snmp("snmpget", "SNMPv2-MIB::sysUpTime.0", options=("-OQUevt",))
    return int(line)


def one(home):
    return {"peer": home, "spi": 1000, "algorithm": "hmac-md5", "key": "00112233445566778899aabbccddeeff"}
