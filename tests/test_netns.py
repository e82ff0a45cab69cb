"""A mobile node on real interfaces: it hears agents, registers, moves, and comes home (RFC 5944 §2, §3, §4.6)."""

import pytest

from harness import wait_until
from netns import Site

NODE, HOME_AGENT, FIRST, SECOND = "10.0.0.7", "10.0.0.1", "10.1.0.1", "10.2.0.1"
KEY = "00112233445566778899aabbccddeeff"

# The shortest intervals that RFC 1256 allows; an agent that is not heard for 5 s is lost.
ADVERTISE = """
[[advertise]]
interface = "eth0"
max-interval = 4
min-interval = 3
lifetime = 5
"""

HOME = f"""
[store]
path = "{{directory}}/store"
socket = "{{directory}}/store.sock"
[home-agent]
address = "{HOME_AGENT}"
home-interface = "eth0"
max-lifetime = 600
{ADVERTISE}
[[association]]
peer = "{NODE}"
spi = 1000
key = "hex:{KEY}"
"""

FOREIGN = f"""
[store]
connect = "unix:{{directory}}/store.sock"
[foreign-agent]
address = "{{address}}"
max-lifetime = 500
{ADVERTISE}
"""

MOBILE = f"""
[store]
connect = "unix:{{directory}}/store.sock"
[mobile-node]
interface = "eth0"
home-address = "{NODE}"
{{home_agent}}
lifetime = 300
[[association]]
peer = "{HOME_AGENT}"
spi = 1000
key = "hex:{KEY}"
"""


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    try:
        site.host("ha1", "home", HOME_AGENT)
        site.host("fa1", "one", FIRST)
        site.host("fa2", "two", SECOND)
        site.host("mn", "one", NODE, gateway=False)
        yield site
    finally:
        site.close()


def start(site, mobile=f'home-agent = "{HOME_AGENT}"'):
    directory = site.directory
    daemons = {
        "ha1": HOME.format(directory=directory),
        "fa1": FOREIGN.format(directory=directory, address=FIRST),
        "fa2": FOREIGN.format(directory=directory, address=SECOND),
        "mn": MOBILE.format(directory=directory, home_agent=mobile),
    }
    return {host: site.daemon(host, config).start() for host, config in daemons.items()}


def bound_at(site, care_of_address):
    """The binding, once it is the only one and has this care-of address."""
    rows = site.rows("show", "bindings")
    return rows[0] if [row["care_of_address"] for row in rows] == [care_of_address] else None


def registered_with(site, agent):
    rows = site.rows("show", "registrations")
    return rows[0] if [(row["agent_address"], row["accepted"]) for row in rows] == [(agent, True)] else None


def test_a_node_moves_and_comes_home_and_tshark_sees_what_the_rows_say(site):
    capture = site.capture(["ha1", "fa1", "fa2", "mn"])
    daemons = start(site)
    for daemon in daemons.values():
        status = dict(line.split(":\t", 1) for line in open(f"/proc/{daemon.pid}/status") if ":\t" in line)
        # CAP_NET_RAW and CAP_NET_BIND_SERVICE: what is open needs them no more.
        assert int(status["CapEff"], 16) & (1 << 13 | 1 << 10) == 0, daemon.host
    seen = []
    for link, agent in [("one", FIRST), ("two", SECOND)]:
        site.plug("mn", link)
        binding = wait_until(lambda: bound_at(site, agent), seconds=60, what=f"a binding through {agent}")
        registration = wait_until(lambda: registered_with(site, agent), what="the node's own row")
        visitors = [row for row in site.rows("show", "visitors") if row["foreign_agent"] == agent]
        (visitor,) = [row for row in visitors if row["accepted"]]
        seen.append((agent, binding, visitor, registration))
    site.plug("mn", "home")
    wait_until(lambda: site.rows("show", "bindings") == [], seconds=60, what="the deregistration")
    wait_until(lambda: site.rows("show", "registrations") == [], what="no registration")
    # Counters are relaxed rows: they are written a moment after what they count.
    for name, host, least in [
        ("mnDeRegRepliesRecieved", "mn", 1), ("mnMoveFromFAToFA", "mn", 1), ("mnMoveFromFAToHA", "mn", 1),
        ("mnGratuitousARPsSend", "mn", 1), ("haGratuitiousARPsSent", "ha1", 1), ("haRegistrationAccepted", "ha1", 3),
        ("faRegRepliesRelayed", "fa1", 1), ("faRegRepliesRelayed", "fa2", 1),
    ]:
        wait_until(lambda: site.counter(name, host) >= least, what=f"{name} of {host}")
    for name, host, exact in [
        ("mnMoveFromFAToFA", "mn", 1), ("mnMoveFromFAToHA", "mn", 1), ("haRegistrationAccepted", "ha1", 3),
        ("faRegRepliesRelayed", "fa1", 1), ("faRegRepliesRelayed", "fa2", 1),
    ]:
        assert site.counter(name, host) == exact, (name, host)
    for daemon in reversed(daemons.values()):
        assert daemon.stop() == 0, daemon.errors
    assert capture.stop() == 0
    judge(capture, seen)


def judge(capture, seen):
    """Every packet is well-formed to tshark, and its fields are those of our rows."""
    assert capture.packets("_ws.malformed") == []
    assert capture.packets("icmp.checksum.status == 0") == []
    for agent, binding, visitor, registration in seen:
        heard = capture.packets(f"icmp.type == 9 && ip.src == {agent}")
        assert heard, agent
        for packet in heard:
            assert packet["icmp.mip.coa"] == [visitor["care_of_address"]] == [registration["care_of_address"]]
            assert packet["icmp.mip.life"] == ["500"]
            assert packet["icmp.mip.prefixlength"] == ["24"]
            assert packet["ip.ttl"][0] == "1"
            flags = {name: packet[f"icmp.mip.{name}"][0] for name in "rbhfmg"}
            assert flags == {"r": "0", "b": "0", "h": "0", "f": "1", "m": "1", "g": "1"}
        # RFC 5944 §2.3.2: from 0, one more each time; one daemon sent them all.
        numbers = sorted({int(packet["icmp.mip.seq"][0]) for packet in heard})
        assert numbers == list(range(len(numbers)))
        relayed = capture.packets(f"mip.type == 1 && ip.src == {agent} && ip.dst == {HOME_AGENT}")
        asked = capture.packets(f"mip.type == 1 && ip.src == {NODE} && ip.dst == {agent}")
        assert relayed and asked
        for packet in relayed + asked:
            for field, column in [("mip.homeaddr", "home_address"), ("mip.haaddr", "home_agent"),
                                  ("mip.coa", "care_of_address")]:
                assert packet[field] == [binding[column]] == [visitor[column]], field
            assert packet["mip.life"] == [str(visitor["lifetime_requested"])] == ["300"]
            assert packet["mip.d"] == ["0"], "a foreign agent decapsulates"
        idents = {packet["mip.ident_raw"][0][0] for packet in relayed}
        assert f"{binding['identification_high']:08x}{binding['identification_low']:08x}" in idents
        replies = capture.packets(f"mip.type == 3 && ip.src == {agent} && ip.dst == {NODE}")
        assert replies and all(packet["mip.code"] == ["0"] for packet in replies)
        assert all(packet["mip.life"] == [str(binding["lifetime_granted"])] for packet in replies)
    home = capture.packets(f"mip.type == 1 && ip.src == {NODE} && ip.dst == {HOME_AGENT}")
    assert home and all(packet["mip.life"] == ["0"] and packet["mip.coa"] == [NODE] for packet in home)
    assert capture.packets(f"icmp.type == 9 && ip.src == {HOME_AGENT} && icmp.mip.h == 1")
    assert capture.packets(f"icmp.type == 10 && ip.src == {NODE} && ip.dst == 224.0.0.11 && ip.ttl == 1")
    # What answers a solicitation goes to the hardware address that it came from (§2.1).
    (own,) = {packet["eth.src"][0] for packet in capture.packets(f"icmp.type == 10 && ip.src == {NODE}")}
    answers = capture.packets(f"icmp.type == 9 && ip.dst == {NODE}")
    assert answers and all(packet["eth.dst"] == [own] and packet["ip.ttl"][0] == "1" for packet in answers)
    gratuitous = capture.packets(f"arp.isgratuitous && arp.src.proto_ipv4 == {NODE}")
    # Of the home agent when the node was away, and of the node when it was back (§4.6).
    assert len({packet["arp.src.hw_mac"][0] for packet in gratuitous}) == 2


def test_a_home_agent_is_found_by_directed_broadcast(site):
    site.set("core", "net.ipv4.conf.all.bc_forwarding", 1)
    site.set("core", "net.ipv4.conf.br-one.bc_forwarding", 1)
    site.set("core", "net.ipv4.conf.br-home.bc_forwarding", 1)
    # A node with an address of its own on the visited link asks all home agents of its network.
    site.run("mn", "ip", "addr", "add", "10.1.0.77/24", "dev", "eth0")
    site.run("mn", "ip", "addr", "del", f"{NODE}/24", "dev", "eth0")
    site.run("mn", "ip", "route", "add", "default", "via", "10.1.0.254")
    directory = site.directory
    home_agent = site.daemon("ha1", HOME.format(directory=directory)).start()
    mobile = MOBILE.format(directory=directory, home_agent='home-network = "10.0.0.0/24"')
    mobile = mobile.replace('interface = "eth0"\n', 'co-located = "10.1.0.77"\n')
    node = site.daemon("mn", mobile).start()
    binding = wait_until(lambda: bound_at(site, "10.1.0.77"), seconds=60, what="a binding")
    assert (binding["home_agent"], binding["foreign_agent"]) == (HOME_AGENT, None)
    wait_until(lambda: site.counter("mnRegRequestsWithDirectedBroadcast", "mn") >= 1, what="the counter")
    assert site.counter("haUnknownHA", "ha1") == 1
    # It says goodbye when it is stopped.
    assert node.stop() == 0, node.errors
    assert site.rows("show", "bindings") == []
    assert home_agent.stop() == 0


ASK = """
import sys
from scapy.all import ARP, Ether, srp1
asked = Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(psrc=sys.argv[1], pdst=sys.argv[2])
answer = srp1(asked, iface="eth0", timeout=float(sys.argv[3]), verbose=0)
print(answer.hwsrc if answer else "")
"""


def asked_by(site, host, sender, seconds=10):
    """The hardware address that answers for the node's home address when `sender` asks on the link of `host`."""
    return site.run(host, "/usr/bin/python3", "-c", ASK, sender, NODE, str(seconds)).strip()


def test_a_node_that_is_away_answers_arp_to_its_foreign_agent_alone(site):
    daemons = start(site)
    wait_until(lambda: bound_at(site, FIRST), seconds=60, what="a binding")
    own = site.run("mn", "cat", "/sys/class/net/eth0/address").strip()
    assert asked_by(site, "fa1", FIRST) == own
    assert asked_by(site, "fa1", "10.1.0.99", seconds=2) == ""
    # On the home link the home agent answers for it.
    home = site.run("ha1", "cat", "/sys/class/net/eth0/address").strip()
    assert asked_by(site, "fa2", "10.2.0.99", seconds=1) == "", "it is not there"
    site.host("neighbour", "home", "10.0.0.9")
    assert asked_by(site, "neighbour", "10.0.0.9") == home
    site.plug("mn", "home")
    wait_until(lambda: site.rows("show", "bindings") == [], seconds=60, what="the deregistration")
    assert asked_by(site, "neighbour", "10.0.0.9") == own
    # Who was killed while it was away leaves the kernel mute, and the next run mends that.
    site.plug("mn", "two")
    wait_until(lambda: bound_at(site, SECOND), seconds=60, what="a binding through the other agent")
    mute = ("cat", "/proc/sys/net/ipv4/conf/eth0/arp_ignore")
    assert site.run("mn", *mute).strip() == "8"
    daemons["mn"].kill()
    site.plug("mn", "home")
    daemons["mn"].start()
    wait_until(lambda: site.rows("show", "bindings") == [], seconds=60, what="the deregistration")
    assert site.run("mn", *mute).strip() == "0"
    # What was plugged in elsewhere is as it was once the node is stopped.
    site.plug("mn", "one")
    wait_until(lambda: bound_at(site, FIRST), seconds=60, what="a binding")
    assert daemons["mn"].stop() == 0, daemons["mn"].errors
    assert site.run("mn", *mute).strip() == "0"


def test_a_link_that_comes_back_makes_the_node_look_for_agents_at_once(site):
    # Advertisements are rare here: who waited for one, or for the end of its lifetime, would wait for minutes.
    rare = "max-interval = 1800\nmin-interval = 1350\nlifetime = 5400\n"
    often = ADVERTISE.split("\n", 3)[3]
    directory = site.directory
    texts = {
        "ha1": HOME.format(directory=directory),
        "fa1": FOREIGN.format(directory=directory, address=FIRST),
        "fa2": FOREIGN.format(directory=directory, address=SECOND),
    }
    for host, text in texts.items():
        assert often in text
        site.daemon(host, text.replace(often, rare)).start()
    site.daemon("mn", MOBILE.format(directory=directory, home_agent=f'home-agent = "{HOME_AGENT}"')).start()
    wait_until(lambda: bound_at(site, FIRST), seconds=60, what="a binding")
    before = site.counter("mnSolicitationsSent", "mn")
    site.cut("mn")
    site.plug("mn", "two")
    site.join("mn")
    wait_until(lambda: bound_at(site, SECOND), seconds=60, what="a binding through the other agent")
    wait_until(lambda: site.counter("mnSolicitationsSent", "mn") > before, what="a solicitation")
