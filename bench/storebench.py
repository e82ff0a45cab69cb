"""The store by itself: commits beside its references, watches, and the growth of the disk."""

import subprocess

from common import ROOT

PROGRAM = ROOT / "bench" / "target" / "release" / "storebench"


def run(folder, command):
    done = subprocess.run([str(PROGRAM), command, str(folder / command)], capture_output=True, text=True, check=True)
    print(done.stdout)


def commits(folder):
    """Durable commits a second at 1, 64 and 1,024 writers, beside bare append, redb, sled and etcd."""
    run(folder, "commits")


def lag(folder):
    """How far watches are behind 10,000 commits a second."""
    run(folder, "lag")


def growth(folder):
    """Disk over ten minutes of 1,000 renewals a second."""
    run(folder, "growth")
