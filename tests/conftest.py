"""Starts the programs under test; every process and folder is gone after its test."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import summary  # noqa: E402
from harness import Daemon, Lab  # noqa: E402


@pytest.fixture
def lab(tmp_path):
    """A function that starts `mip4d lab`; all of them are stopped at the end."""
    labs = []

    def start(**options):
        labs.append(Lab(tmp_path / f"lab{len(labs)}", **options))
        return labs[-1]

    yield start
    for started in labs:
        started.stop()


@pytest.fixture
def daemon(tmp_path):
    """A function that makes a `mip4d run`; all of them are stopped at the end."""
    daemons = []

    def make(**options):
        daemons.append(Daemon(tmp_path / f"daemon{len(daemons)}", **options))
        return daemons[-1]

    yield make
    for made in daemons:
        made.stop()


def pytest_collection_modifyitems(config, items):
    """The large numbers run in `cargo xtask soak` alone."""
    if os.environ.get("MIP4_SOAK"):
        return
    skip = pytest.mark.skip(reason="only in `cargo xtask soak`")
    for item in items:
        if "soak" in item.name:
            item.add_marker(skip)


def pytest_terminal_summary(terminalreporter):
    """The figures that tests found."""
    if summary.LINES:
        terminalreporter.section("figures")
        for line in summary.LINES:
            terminalreporter.write_line(line)
