"""What libsmi and Net-SNMP make of our modules, as committed snapshots.

`UPDATE_SNAPSHOTS=1` writes them again; read the difference before you commit it.
"""

import os
import subprocess

import pytest

from harness import MODULES, ROOT, wait_until

SNAPSHOTS = ROOT / "tests" / "snapshots" / "mibs"
OURS = ["MIP-MIB", "MIP4-EXT-MIB"]

#: One of each kind, for `snmptranslate -Td`.
TRANSLATED = [
    "MIP-MIB::mipEnable", "MIP-MIB::mipSecurityKey", "MIP-MIB::mnAdvFlags", "MIP-MIB::haMobilityBindingTimeRemaining",
    "MIP-MIB::haRegCounterEntry", "MIP-MIB::faCOAStorageType", "MIP-MIB::mipAuthFailure2",
    "MIP4-EXT-MIB::mip4ExtBindingEntry", "MIP4-EXT-MIB::mip4ExtInstanceRoles", "MIP4-EXT-MIB::mip4ExtUsagePeakAt",
    "MIP4-EXT-MIB::mip4ExtCapacityHigh", "MIP4-EXT-MIB::mip4ExtGateOpen", "MIP4-EXT-MIB::mip4ExtOperationPath",
    "MIP4-EXT-MIB::mip4ExtNotifyPending", "MIP4-EXT-MIB::mip4ExtRegionalForeignAgentEntry",
    "MIP4-EXT-MIB::mip4ExtRegionalVisitorEntry", "MIP4-EXT-MIB::mip4ExtRegionalRolledBack",
]


def compare(name, text):
    path = SNAPSHOTS / name
    if os.environ.get("UPDATE_SNAPSHOTS") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), f"{path} differs; UPDATE_SNAPSHOTS=1 writes it again"


def run(*command):
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, "SMIPATH": str(MODULES)}
    )
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


@pytest.mark.parametrize("form", ["tree", "identifiers"])
@pytest.mark.parametrize("module", OURS)
def test_smidump(module, form):
    text = run("smidump", "-c", "/dev/null", "-f", form, str(MODULES / f"{module}.txt"))
    # The first lines tell the version of the tool.
    compare(f"{module}.{form}", "".join(line for line in text.splitlines(True) if "smidump" not in line))


def test_snmptranslate():
    texts = [run("snmptranslate", "-M", str(MODULES), "-m", "ALL", "-Td", name) for name in TRANSLATED]
    compare("snmptranslate.txt", "\n".join(texts))


#: Tables of a lab whose values are the same each time, and the columns that are not.
TABLES = {
    "MIP-MIB::mipSecurityAssocTable": (), "MIP-MIB::mnHATable": (), "MIP-MIB::faCOATable": (),
    "MIP-MIB::maAdvertConfTable": (), "MIP-MIB::faAdvertConfTable": (),
    "MIP-MIB::haMobilityBindingTable": ("RegIDLow", "RegIDHigh", "TimeRemaining", "SourceAddress"),
    "MIP4-EXT-MIB::mip4ExtGateTable": (),
}


def test_snmptable(lab):
    running = lab(nodes=2, words=["--foreign-agents", "1"])
    # The nodes' own rows are written a moment after they have registered.
    wait_until(lambda: running.snmp_value("MIP-MIB::mnCurrentHA.127.0.0.1") == "1", what="the nodes' rows")
    texts = []
    for table, moving in TABLES.items():
        lines = running.snmp("snmptable", table, options=("-Ob", "-Ci", "-Cf", "|"))
        title, _, header, *rows = [line for line in lines]
        columns = header.split("|")
        shown = [
            "|".join("*" if name.endswith(moving) and moving else value for name, value in zip(columns, row.split("|")))
            for row in rows
        ]
        texts.append("\n".join([title, header, *shown]) + "\n")
    compare("snmptable.txt", "\n".join(texts))
