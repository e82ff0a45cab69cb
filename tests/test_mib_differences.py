"""Our MIP-MIB against that of RFC 2006, by smidiff: only what mibs/README.md names is different."""

import csv
import os
import re
import subprocess

from harness import MODULES, ROOT

OLD = ROOT / "tests" / "mibs" / "RFC2006-MIP-MIB.txt"

#: Differences that are neither additions nor deprecations, with the objects that have them.
NAMED = {
    r"base type of `(\w+)' changed": {
        "mnRegIDLow", "mnRegIDHigh", "mnRegTimeRequested", "haMobilityBindingRegIDLow", "haMobilityBindingRegIDHigh",
        "haMobilityBindingTimeGranted",
    },
    r"implicit type for `(\w+)' replaces type `Integer32'": {"haMobilityBindingRegIDLow", "haMobilityBindingRegIDHigh"},
    r"range of type used in `(\w+)' changed from .*": {"mnAdvMaxRegLifetime", "mnAdvMaxAdvLifetime"},
    r"default value added to `(\w+)'": {"mnHomeAddress"},
    r"named number `vjCompression' changed to `reserved0?' (?:in type|at type used in) `(\w+)'": {
        "RegistrationFlags", "mnAdvFlags", "mnRegFlags", "faVisitorRegFlags", "haMobilityBindingRegFlags",
    },
    r"named bit `reverseTunnel' added without starting in a new byte in type(?: used in)? `(\w+)'": {
        "RegistrationFlags", "mnAdvFlags", "mnRegFlags", "faVisitorRegFlags", "haMobilityBindingRegFlags",
    },
    r"named bit `mipUdp' added without starting in a new byte in type used in `(\w+)'": {"mipEncapsulationSupported"},
    r"named number `(?:udpTunnelling|regionalRegistration)' added to type used in `(\w+)'": {"mnAdvFlags"},
    r"name changed from `mipSecNotifcationsGroup' to `(\w+)'": {"mipSecNotificationsGroup"},
    r"optional group `(\w+)' (?:removed from|added to) `mipCompliance'": {
        "mipSecNotifcationsGroup", "mipSecNotificationsGroup",
    },
    r"member `(\w+)' added to group `mipSecViolationGroup'": {"mipSecViolatorAddress"},
    r"(?:organization|contact) of `(MIP-MIB)' changed": {"MIP-MIB"},
    r"revision `([^']+)' (?:changed|added)": {"1996-06-04 00:00", "2009-04-06 00:00"},
}


def differences():
    done = subprocess.run(
        ["smidiff", "-c", "/dev/null", "-l", "6", str(OLD), str(MODULES / "MIP-MIB.txt")],
        capture_output=True, text=True, timeout=60, env={**os.environ, "SMIPATH": str(MODULES)},
    )
    assert done.stdout, done.stderr
    for line in done.stdout.splitlines():
        text = re.sub(r"^\S+ (?:(?:warning|info|error): )?", "", line)
        # Every description is our own.
        if "previous definition" not in text and not text.startswith("description of"):
            yield text


def facts():
    with (ROOT / "mibs" / "facts" / "mip-mib.tsv").open() as file:
        return {row["name"]: row for row in csv.DictReader(file, delimiter="\t")}


def test_smidiff_shows_only_the_differences_that_are_named():
    known = facts()
    argued = (ROOT / "mibs" / "README.md").read_text()
    added, deprecated, met = set(), set(), {pattern: set() for pattern in NAMED}
    for text in differences():
        if found := re.fullmatch(r"(?:\w+) `([\w-]+)' has been added", text):
            added.add(found[1])
        elif found := re.fullmatch(r"legal status change from `current' to `deprecated' for `(\w+)'", text):
            assert known[found[1]]["status"] == "deprecated", text
            deprecated.add(found[1])
        else:
            matches = [(p, re.fullmatch(p, text)) for p in NAMED if re.fullmatch(p, text)]
            assert matches, f"not named: {text}"
            pattern, found = matches[0]
            assert found[1] in NAMED[pattern], text
            met[pattern].add(found[1])
    # What is named is really there.
    assert met == NAMED
    for names in NAMED.values():
        for name in names - {"1996-06-04 00:00", "2009-04-06 00:00", "MIP-MIB", "mipSecNotifcationsGroup"}:
            assert f"`{name}`" in argued, f"mibs/README.md does not name {name}"
    # 120 identifiers are new, and the four conventions that have none.
    assert len([name for name in added if known[name]["oid"] != "-"]) == 120
    assert len(added) == 124
    old = OLD.read_text()
    assert not [name for name in added if re.search(rf"\b{name}\b\s+(?:OBJECT|NOTIFICATION|MODULE|::=)", old)]
    # Nothing was taken away, and what is deprecated was there before.
    assert deprecated == {name for name, fact in known.items() if fact["status"] == "deprecated"}
