"""A home agent that is killed while it revokes goes on with it: nothing forgotten, nothing twice, nothing made up."""

import collections
import ipaddress
import random
import subprocess

import pytest

from harness import ASSOCIATION, BIN_DIR, MIP4CTL, MIP4D, Managed, Process, free_port, wait_until
from node import KEY
from revoking import SPI, Acknowledger, Agent

COUNT = 10_000
FOREIGN_AGENT = "127.0.0.2"

STORE = """
[store]
path = "{directory}/store"
socket = "{directory}/store.sock"
"""

HOME_AGENT = """
[home-agent]
address = "127.0.0.1"
port = {port}
[home-agent.revocation]
port = "of-registration"
inform = false
""" + ASSOCIATION.format(peer=FOREIGN_AGENT, spi=SPI, algorithm="hmac-md5", key=KEY.hex())


def homes(count):
    first = int(ipaddress.IPv4Address("10.0.0.0"))
    return [str(ipaddress.IPv4Address(first + number)) for number in range(count)]


def decide(home):
    """Of thirty nodes the foreign agent says nothing about one, and of another something that is forged."""
    return {0: "no", 1: "forged"}.get(int(ipaddress.IPv4Address(home)) % 30, "yes")


class Member(Process):
    """One `mip4d` of several on one store."""

    def __init__(self, directory, config):
        directory.mkdir(exist_ok=True)
        self.config, self.child = directory / "mip4d.toml", None
        self.config.write_text(config)
        self.config.chmod(0o600)

    def start(self):
        super().__init__([MIP4D, "run", "--config", str(self.config)])
        wait_until(self.serving, seconds=60, what="`mip4d run` serving")

    def serving(self):
        assert self.alive(), self.errors
        return any(" serving" in line for line in self.errors)


class Site(Managed):
    """A store of bindings that all came through one foreign agent, and the processes on it."""

    def __init__(self, directory, alone, count):
        self.directory, self.count = directory, count
        directory.mkdir()
        peer = Agent(FOREIGN_AGENT, None)
        self.acknowledger = Acknowledger(peer, decide)
        subprocess.run(
            [str(BIN_DIR / "examples" / "bindings"), str(directory / "store"), str(count), "ha", "127.0.0.1",
             f"through={FOREIGN_AGENT}:{peer.port}"], check=True, timeout=120)
        store, home_agent = STORE.format(directory=directory), HOME_AGENT.format(port=free_port())
        if alone:
            # The home agent in a process of its own; the other one owns the store.
            connected = f'[store]\nconnect = "unix:{directory}/store.sock"\n'
            owner = Member(directory, '[daemon]\nname = "store"\n' + store)
            self.home_agent = Member(directory / "ha", '[daemon]\nname = "ha"\n' + connected + home_agent)
            self.members = [owner, self.home_agent]
        else:
            self.home_agent = Member(directory, '[daemon]\nname = "ha"\n' + store + home_agent)
            self.members = [self.home_agent]

    def start(self):
        self.acknowledger.start()
        for member in self.members:
            member.start()

    def status(self, *words):
        """The exit status of `mip4ctl`, which may not reach a store that is very busy."""
        command = [MIP4CTL, "--store", f"unix:{self.directory}/store.sock", *words]
        return subprocess.run(command, capture_output=True, timeout=120, stdin=subprocess.DEVNULL).returncode

    def stop(self):
        self.acknowledger.stop()
        for member in reversed(self.members):
            if member.child is not None:
                member.stop()


def run(directory, rng, alone, count):
    site = Site(directory, alone, count)
    try:
        site.start()
        (operation,) = site.rows("revoke", "binding", "--all", "--yes", "--reason", "to be killed")
        number = operation["id"]
        # Anywhere from the expansion to the last tenth.
        enough = rng.randrange(count * 9 // 10)
        killed = site.acknowledger.when(enough, site.home_agent.kill)
        assert killed.wait(120), f"{enough} acknowledgments did not come"
        known = len(site.acknowledger.acknowledged)
        assert known < count * 28 // 30, "it was over before the kill"
        site.home_agent.start()
        wait_until(lambda: site.status("wait", "operation", str(number), "--timeout", "60s") == 1,  # Some time out.
                   seconds=400, what="the end of the operation")
        judge(site, number)
    finally:
        site.stop()


def judge(site, number):
    (operation,) = [row for row in site.rows("show", "operations") if row["id"] == number]
    targets = site.rows("show", "operation", str(number))
    assert operation["state"] == "done" and operation["targets"] == site.count, operation
    # None forgotten, none twice.
    assert sorted(row["home_address"] for row in targets) == sorted(homes(site.count))
    results = collections.Counter(row["result"] for row in targets)
    assert operation["results"] == dict(results), (operation, results)
    assert site.acknowledger.unauthentic == 0
    said = set(site.acknowledger.acknowledged)
    marked = {row["home_address"] for row in targets if row["result"] == "acknowledged"}
    assert marked <= said, f"made up: {sorted(marked - said)[:5]}"
    assert marked == {home for home in homes(site.count) if decide(home) == "yes"}
    for row in targets:
        if row["result"] != "acknowledged":
            assert row["result"] == "timed-out" and row["messages"] == 3, row
    # Each message has an identifier of its own (§3.5), also those on both sides of the kill.
    for home, identifiers in site.acknowledger.asked.items():
        assert len(identifiers) == len(set(identifiers)) <= 3, (home, identifiers)
    assert site.rows("show", "bindings") == []


@pytest.mark.parametrize("alone", [True, False], ids=["own-process", "with-the-store"])
def test_a_killed_home_agent_goes_on_with_what_it_revokes(tmp_path, alone):
    run(tmp_path / "site", random.Random(3543 + alone), alone, COUNT)


@pytest.mark.parametrize("number", range(20))
def test_soak_a_killed_home_agent_goes_on_with_what_it_revokes(tmp_path, number):
    run(tmp_path / "site", random.Random(number), alone=number % 2 == 0, count=COUNT)
