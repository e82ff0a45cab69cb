"""A small internetwork of namespaces, made for one test and gone after it.

    home 10.0.0.0/24 ── core ── one 10.1.0.0/24
                          └──── two 10.2.0.0/24

Each link is a bridge in the namespace `core`, which routes between them. A host has one interface,
`eth0`, and can be plugged into another link, as mobile nodes are.
"""

import itertools
import json
import os
import pathlib
import signal
import subprocess

import pytest

from harness import MIP4CTL, MIP4D, Process, wait_until

LINKS = {"home": "10.0.0", "one": "10.1.0", "two": "10.2.0"}
ALLOWED_MISSING = "MIP4_ALLOW_MISSING_NETNS"
COUNTER = itertools.count()


def ip(*words, check=True):
    return subprocess.run(["ip", *words], capture_output=True, text=True, timeout=60, check=check)


def require():
    """Fails where the kernel forbids namespaces; skips instead if the run was told to allow that."""
    name = f"mip4-probe-{os.getpid()}"
    try:
        made = ip("netns", "add", name, check=False)
        why = made.stderr.strip()
        works = made.returncode == 0 and ip(
            "-n", name, "link", "add", "probe", "type", "bridge", check=False).returncode == 0
        ip("netns", "del", name, check=False)
    except OSError as error:
        works, why = False, str(error)
    if works:
        return
    words = f"not run: network namespaces cannot be made here ({why or 'no bridge'})"
    if os.environ.get(ALLOWED_MISSING):
        pytest.skip(words)
    pytest.fail(f"{words}; `cargo xtask test --allow-missing-netns` goes on without", pytrace=False)


class Site:
    """The internetwork, and the programs that run in it."""

    def __init__(self, directory):
        require()
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.prefix = f"mip4-{os.getpid()}-{next(COUNTER)}"
        self.namespaces, self.processes = [], []
        self.core = self.namespace("core")
        self.set("core", "net.ipv4.ip_forward", 1)
        for link, network in LINKS.items():
            ip("-n", self.core, "link", "add", f"br-{link}", "type", "bridge")
            ip("-n", self.core, "addr", "add", f"{network}.254/24", "dev", f"br-{link}")
            ip("-n", self.core, "link", "set", f"br-{link}", "up")

    def namespace(self, host):
        name = f"{self.prefix}-{host}"
        ip("netns", "add", name)
        self.namespaces.append(name)
        ip("-n", name, "link", "set", "lo", "up")
        for which in ("all", "default"):
            self.set(host, f"net.ipv4.conf.{which}.rp_filter", 0)
        return name

    def set(self, host, key, value):
        path = "/proc/sys/" + key.replace(".", "/")
        self.run(host, "sh", "-c", f"echo {value} > {path}")

    def within(self, host):
        """What goes before a command that is to run on `host`."""
        return ["ip", "netns", "exec", f"{self.prefix}-{host}"]

    def run(self, host, *words):
        done = subprocess.run([*self.within(host), *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (host, words, done.stdout, done.stderr)
        return done.stdout

    def host(self, name, link, address, gateway=True):
        """Adds a host with `address`, plugged into `link`."""
        space = self.namespace(name)
        ip("link", "add", "eth0", "netns", space, "type", "veth", "peer", "name", name, "netns", self.core)
        ip("-n", space, "addr", "add", f"{address}/24", "brd", "+", "dev", "eth0")
        ip("-n", space, "link", "set", "eth0", "up")
        ip("-n", self.core, "link", "set", name, "up")
        self.plug(name, link)
        if gateway:
            network = address.rsplit(".", 1)[0]
            ip("-n", space, "route", "add", "default", "via", f"{network}.254")

    def plug(self, host, link):
        """Moves the cable of a host to another link; the host is told nothing."""
        ip("-n", self.core, "link", "set", host, "master", f"br-{link}")

    def cut(self, host):
        """Takes the carrier away from a host."""
        ip("-n", self.core, "link", "set", host, "down")

    def join(self, host):
        """Gives it back."""
        ip("-n", self.core, "link", "set", host, "up")

    def daemon(self, host, config):
        """`mip4d run` on a host; started by hand."""
        daemon = SiteDaemon(self, host, config)
        self.processes.append(daemon)
        return daemon

    def capture(self, hosts):
        """Captures at the far ends of the cables of `hosts`, from here on."""
        capture = Capture(self, hosts)
        self.processes.append(capture)
        return capture

    def ctl(self, *words, expect=0):
        done = subprocess.run(
            [MIP4CTL, "--store", f"unix:{self.directory}/store.sock", *words],
            capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        assert done.returncode == expect, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def rows(self, *words):
        return json.loads(self.ctl("-o", "json", *words))["rows"]

    def counter(self, name, instance):
        rows = [row for row in self.rows("show", "statistics") if row["instance"] == instance]
        return sum(row["values"].get(name, 0) for row in rows)

    def close(self):
        for process in reversed(self.processes):
            if getattr(process, "child", None) is not None:
                process.kill()
        for name in self.namespaces:
            ip("netns", "del", name, check=False)


class SiteDaemon(Process):
    """One `mip4d` on one host."""

    def __init__(self, site, host, config):
        self.site, self.host, self.child = site, host, None
        self.config = site.directory / f"{host}.toml"
        self.config.write_text(f'[daemon]\nname = "{host}"\n{config}')
        self.config.chmod(0o600)

    def start(self):
        super().__init__([*self.site.within(self.host), MIP4D, "run", "--config", str(self.config)])
        wait_until(self.serving, seconds=60, what=f"{self.host} serving")
        return self

    def serving(self):
        assert self.alive(), self.errors
        return any(" serving" in line for line in self.errors)


class Capture(Process):
    """`tshark` writing to a file."""

    def __init__(self, site, hosts):
        self.file = site.directory / f"capture-{len(site.processes)}.pcapng"
        interfaces = [word for host in hosts for word in ("-i", host)]
        super().__init__([
            *site.within("core"), "tshark", "-q", *interfaces, "-w", str(self.file),
            "-f", "icmp or arp or udp port 434"])
        wait_until(lambda: any("Capture started" in line for line in self.errors), what="a capture")

    def stop(self):
        """Ends the capture; what was captured can be read then."""
        status = self.kill(signal.SIGINT)
        # A bridge and a router make several frames of one packet; each is judged.
        return status

    def packets(self, display_filter):
        """Packets as {field: [values]}, raw octets in hex under `FIELD_raw`."""
        done = subprocess.run(
            ["tshark", "-r", str(self.file), "-Y", display_filter, "-T", "json", "-x", "--no-duplicate-keys"],
            capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return [flat(packet["_source"]["layers"]) for packet in json.loads(done.stdout or "[]")]


def flat(layers, into=None):
    into = {} if into is None else into
    for key, value in layers.items():
        if key.endswith("_raw"):
            into.setdefault(key, []).extend(value if value and isinstance(value[0], list) else [value])
        elif isinstance(value, dict):
            flat(value, into)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    flat(item, into)
                else:
                    into.setdefault(key, []).append(item)
        else:
            # Newer versions spell truth out.
            into.setdefault(key, []).append({"True": "1", "False": "0"}.get(value, value))
    return into
