"""The modules, judged by libsmi and Net-SNMP, on a machine with no other MIB files."""

import csv
import os
import re
import subprocess

import pytest

from harness import MODULES, ROOT

#: What smilint says of MIP-MIB, and why it stays: see mibs/README.md.
ALLOWED = {
    "index element `mipSecViolatorAddress' of row `mipSecViolationEntry' should be not-accessible in SMIv2 MIB",
    "index element `mnRegAgentAddress' of row `mnRegistrationEntry' should be not-accessible in SMIv2 MIB",
    "index element `mnRegCOA' of row `mnRegistrationEntry' should be not-accessible in SMIv2 MIB",
    "index element `faVisitorIPAddress' of row `faVisitorEntry' should be not-accessible in SMIv2 MIB",
    "index element `haMobilityBindingMN' of row `haMobilityBindingEntry' should be not-accessible in SMIv2 MIB",
    "index element `haMobilityBindingCOA' of row `haMobilityBindingEntry' should be not-accessible in SMIv2 MIB",
    "type `MipEntityIdentifier' has no format specification",
}


def smilint(module):
    done = subprocess.run(
        ["smilint", "-c", "/dev/null", "-l", "6", str(module)],
        capture_output=True, text=True, timeout=60, env={**os.environ, "SMIPATH": str(MODULES)},
    )
    return (done.stdout + done.stderr).splitlines()


def test_smilint_says_of_mip_mib_only_what_is_argued():
    lines = smilint(MODULES / "MIP-MIB.txt")
    messages = {line.split(": ", 1)[1].removeprefix("warning: ") for line in lines if "MIP-MIB.txt" in line}
    assert messages <= ALLOWED, messages - ALLOWED
    argued = (ROOT / "mibs" / "README.md").read_text()
    for message in messages:
        assert message.split("`")[1].split("'")[0] in argued, message


@pytest.mark.parametrize("module", ["MIP4-EXT-MIB", "MIP4-CAPABILITIES-MIB"])
def test_smilint_has_nothing_to_say_of_our_own_modules(module):
    lines = smilint(MODULES / f"{module}.txt")
    assert not [line for line in lines if module in line], lines


@pytest.mark.parametrize("module", sorted(path.stem for path in MODULES.glob("*.txt")))
def test_net_snmp_reads_every_module_without_a_word(module):
    done = subprocess.run(
        ["snmptranslate", "-M", str(MODULES), "-m", module, "-Tl"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_identifier_is_where_the_facts_say():
    """`mibs/facts` was not made from our module, nor by our parser."""
    done = subprocess.run(
        ["smidump", "-f", "identifiers", str(MODULES / "MIP-MIB.txt")], capture_output=True, text=True, timeout=60,
        env={**os.environ, "SMIPATH": str(MODULES)},
    )
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("MIP-MIB")]
    dumped = {line[1]: line[3] for line in lines if len(line) == 4}
    with (ROOT / "mibs" / "facts" / "mip-mib.tsv").open() as file:
        facts = {row["name"]: row["oid"] for row in csv.DictReader(file, delimiter="\t") if row["oid"] != "-"}
    assert len(facts) == 314
    assert dumped == facts


def definitions(module):
    """Name, status and text of each definition of a module."""
    text = (MODULES / f"{module}.txt").read_text()
    for found in re.finditer(r"^(\w+) (OBJECT-TYPE|NOTIFICATION-TYPE)\n(.*?)^    ::= ", text, re.DOTALL | re.MULTILINE):
        name, _, body = found.groups()
        (status,) = re.findall(r"^    STATUS +(\w+)", body, re.MULTILINE)
        yield name, status, body


def test_what_is_deprecated_names_what_replaces_it():
    """Reading 5 of mibs/README.md: the draft gives no reason."""
    known = {name for name, _, _ in definitions("MIP-MIB")}
    deprecated = [(name, body) for name, status, body in definitions("MIP-MIB") if status == "deprecated"]
    assert len(deprecated) > 40
    for name, body in deprecated:
        words = " ".join(body.split())
        if name == "faVJCompressionUnavailable":
            assert "Deprecated, because" in words  # Nothing takes its place.
            continue
        reason = words.partition("Deprecated in favour of ")[2]
        named = set(re.findall(r"\w+", reason.partition(".")[0])) - {"and"}
        assert named and named <= known, (name, reason)


def test_the_documents_that_are_cited_are_not_superseded():
    """Reading 9: the draft cites documents that others had taken the place of."""
    text = (MODULES / "MIP-MIB.txt").read_text()
    cited = set(re.findall(r"RFC (\d+)", text))
    assert {"4721", "3115", "3846"} <= cited, cited
    superseded = {"3012", "3025", "2851", "2002", "3220", "3344"}
    assert not superseded & cited, superseded & cited
