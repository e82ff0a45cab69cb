"""A region of real daemons: a home agent, gateways, foreign agents beneath them, and what they share."""

import hashlib

from harness import FOREIGN_AGENT, free_port, wait_until
from node import KEY

HOME_AGENT = "127.0.0.1"
#: Of the associations between nodes and gateways, and between home agents and gateways.
NODE_SPI, HOME_SPI = 3000, 2000
#: Foreign agents have the SPIs from here on, in the order of their hosts.
AGENT_SPI = 5001

GATEWAY_SECTION = """
[gateway]
address = "{address}"
port = {port}
home-agent-port = {port}
[gateway.revocation]
attempts = 6
"""
# Agents of one host share no port 434.
HOME_EXTRA = """
[home-agent.revocation]
port = "of-registration"
"""
OTHER = """
[daemon]
name = "{name}"
[store]
connect = "unix:{socket}"
"""
ASSOCIATION = """
[[association]]
peer = "{peer}"
spi = {spi}
key = "hex:{key}"
agent = "{agent}"
replay = "{replay}"
"""


def key_of(name):
    """The key of whoever is called so."""
    return hashlib.md5(name.encode()).digest()


def association(peer, spi, key, agent, replay="none"):
    return ASSOCIATION.format(peer=peer, spi=spi, key=key.hex(), agent=agent, replay=replay)


def between_agents(gateways, foreign_agents):
    """The associations of gateways with foreign agents and with the home agent; both sides of each."""
    text = association(HOME_AGENT, HOME_SPI, key_of("home"), "gateway")
    for gateway in gateways:
        text += association(gateway, HOME_SPI, key_of("home"), "home-agent")
    for number, agent in enumerate(foreign_agents):
        text += association(agent, AGENT_SPI + number, key_of(agent), "gateway")
        for gateway in gateways:
            text += association(gateway, AGENT_SPI + number, key_of(agent), "foreign-agent")
    return text


def sections(gateway, foreign_agent, port):
    text = GATEWAY_SECTION.format(address=gateway, port=port) if gateway else ""
    return text + (FOREIGN_AGENT.format(address=foreign_agent, port=port, home_agent_port=port) if foreign_agent else "")


def start_region(daemon, hosts, homes, by_hand=(), gateways_by_hand=()):
    """Starts a daemon for each of `hosts`, which are (gateway or None, foreign agent or None); the first has the home
    agent and the store. `by_hand` and `gateways_by_hand` are foreign agents and gateways that somebody else is. The first daemon, with its `port`, and with
    `others`, `gateways` and `spis` by address."""
    port = free_port()
    gateways = [gateway for gateway, _ in hosts if gateway] + list(gateways_by_hand)
    agents = [agent for _, agent in hosts if agent] + list(by_hand)
    extra = HOME_EXTRA + sections(*hosts[0], port) + between_agents(gateways, agents)
    extra += "".join(association(home, NODE_SPI, key_of("node"), "gateway", "timestamps") for home in homes)
    nodes = [{"peer": home, "spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()} for home in homes]
    served = daemon(associations=nodes, port=port, extra=extra).start()
    served.port, served.gateways = port, gateways
    served.spis = {agent: AGENT_SPI + number for number, agent in enumerate(agents)}
    served.others = [start_other(daemon, served, number, host) for number, host in enumerate(hosts[1:], 2)]
    return served


def start_other(daemon, served, number, host):
    """A daemon of the same region, which uses the store of the first."""
    name = f"host{number}"
    config = OTHER.format(name=name, socket=served.directory / "store.sock") + sections(*host, served.port)
    other = daemon(config=config, port=served.port)
    other.serving = lambda: any(
        name in (row.get("name"), row.get("instance")) and row.get("state") == "serving" for row in served.rows("show", "status"))
    return other.start()


def configure(served, belongs, **gateway):
    """Commits who belongs to which gateway; `gateway` are options of all gateways."""
    options = [word for name, value in gateway.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    for address in served.gateways:
        served.ctl("regional", "set", "gateway", address, *options)
    for agent, address in belongs.items():
        spi = str(served.spis[agent])
        served.ctl("regional", "set", "foreign-agent", agent, "--gateway", address, "--spi", spi, "--nai", f"fa{spi}@region.example")
    served.ctl("regional", "commit", "--reason", "a region")


def visitors(served, agent):
    """The accepted visitors of a foreign agent or gateway."""
    return [row for row in served.rows("show", "visitors") if row["foreign_agent"] == agent and row["accepted"]]


def settled(served, role, name, value):
    wait_until(lambda: served.counted(name, role) == value, what=f"{name} of {role} to be {value}")
