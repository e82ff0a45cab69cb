#!/usr/bin/python3
"""Measures what has a budget, each figure beside its reference in the same run.

    bench/run.py [--built] [TASK…]      all of them if none is named; `bench/run.py help` lists them

Builds release binaries, unless told that they are, starts everything on loopback in a temporary folder,
prints tables in Markdown. Ratios count; absolute figures are this machine's.
"""

import pathlib
import sys
import tempfile

import common
import million
import registrations
import revoke
import snmp
import storebench

TASKS = {
    "registrations": registrations.registrations,
    "registrations-by-disk": registrations.registrations_by_disk,
    "denials": registrations.denials,
    "relayed": registrations.relayed,
    "propagation": registrations.propagation,
    "revoke": revoke.revoke,
    "get": snmp.get,
    "get-v3": snmp.get_v3,
    "walk": snmp.walk,
    "walk-next": snmp.walk_next,
    "walk-rows": snmp.walk_rows,
    "churn": snmp.churn,
    "store": million.store,
    "commits": storebench.commits,
    "lag": storebench.lag,
    "growth": storebench.growth,
    "million": million.home_agent_of_a_million,
}


def main():
    words = sys.argv[1:]
    built = "--built" in words
    wanted = [word for word in words if word != "--built"] or list(TASKS)
    if not set(wanted) <= set(TASKS):
        for name, task in TASKS.items():
            print(f"{name:<22} {task.__doc__.splitlines()[0]}")
        return 2
    if not built:
        common.build()
    with tempfile.TemporaryDirectory(dir=common.ROOT / "target") as folder:
        for name in wanted:
            TASKS[name](pathlib.Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
