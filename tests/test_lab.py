"""The main job: `mip4d lab`, seen through SNMP and through the shell's own eyes."""

import re
import signal
import subprocess

from harness import MIP, MIP4D, MODULES, wait_until

COLUMNS = {
    "haMobilityBindingMN": "home_address",
    "haMobilityBindingCOA": "care_of_address",
    "haMobilityBindingSourceAddress": "source_address",
    "haMobilityBindingRegIDLow": "identification_low",
    "haMobilityBindingRegIDHigh": "identification_high",
    "haMobilityBindingTimeGranted": "lifetime_granted",
    "haMobilityBindingHA": "home_agent",
    "haMobilityBindingNAI": "nai",
}


def table(lines, pattern):
    """Lines `name.index = value` as {index: {name: value}}."""
    rows = {}
    for line in lines:
        name, index, value = re.match(pattern, line).groups()
        rows.setdefault(index, {})[name] = value.strip().strip('"')
    return rows


def test_walk_and_shell_agree_field_by_field(lab):
    running = lab(nodes=20)
    assert "20" in running.ready
    lines = running.snmp("snmpwalk", "MIP-MIB::haMobilityBindingTable", options=("-OQUes",))
    walked = table(lines, r"(\w+)\.(\S+) = ?(.*)")
    shown = {f"{row['home_address']}.{row['care_of_address']}": row for row in running.rows("show", "bindings")}
    assert len(walked) == 20 and walked.keys() == shown.keys()
    for index, cells in walked.items():
        row = shown[index]
        for column, field in COLUMNS.items():
            assert cells[column] == str(row[field] if row[field] is not None else ""), (index, column)
        assert abs(int(cells["haMobilityBindingTimeRemaining"]) - row["time_remaining_seconds"]) <= 2


def test_flags_and_identity_are_those_of_the_request(lab):
    running = lab(nodes=3)
    # decapsulationbyMN(3): the fourth bit from the top of the first octet.
    lines = running.snmp("snmpwalk", "MIP-MIB::haMobilityBindingRegFlags", options=("-Oqvx",))
    assert [line.strip().strip('"').split()[0] for line in lines] == ["10"] * 3, lines
    rows = running.rows("show", "bindings")
    assert all("decapsulation_by_mobile_node" in str(row["flags"]) for row in rows)


def test_node_counters_agree(lab):
    running = lab(nodes=4)
    # Counters are relaxed rows: they follow the bindings by a moment.
    wait_until(lambda: running.counter("haRegistrationAccepted") == 4)
    walked = running.snmp("snmpwalk", "MIP-MIB::haRegServiceRequestsAccepted", options=("-Oqv",))
    assert sorted(map(int, walked)) == sorted(row["accepted"] for row in running.rows("show", "nodes"))
    assert running.counter("haRegistrationAccepted") == sum(map(int, walked))
    assert running.counter("haRegMobilityBindingCount") == 4


def test_getbulk_and_getnext_walks_are_the_same(lab):
    running = lab(nodes=7)
    by_next = running.snmp("snmpwalk", MIP + ".1.6.3.1.1", options=("-On", "-Cc"))
    by_bulk = running.snmp("snmpbulkwalk", "-Cr25", MIP + ".1.6.3.1.1", options=("-On",))
    strip = [line for line in by_next if ".1.8." not in line]
    assert strip == [line for line in by_bulk if ".1.8." not in line]
    assert len(strip) == 7 * 11


def test_a_public_address_for_snmp_is_refused():
    done = subprocess.run(
        [MIP4D, "lab", "--snmp", "192.0.2.1:1161"], capture_output=True, text=True, timeout=30
    )
    assert done.returncode in (2, 5) and "loopback" in done.stderr
    assert done.stdout == ""


def test_interrupt_stops_it_cleanly(lab):
    running = lab(nodes=2)
    assert running.kill(signal.SIGINT) == 0
    assert not any("panic" in line for line in running.errors)


def test_modules_translate_without_any_other_mib_file():
    done = subprocess.run(
        ["snmptranslate", "-M", str(MODULES), "-m", "MIP-MIB", "-On", "MIP-MIB::haMobilityBindingTable"],
        capture_output=True, text=True, timeout=30,
    )
    assert (done.stdout.strip(), done.stderr) == ("." + MIP + ".1.6.3.1", "")
