"""Mobile IPv4 written by hand with Scapy, for a namespace of its own: it shares nothing with the programs under test.

    stranger.py register AGENT HOME_AGENT HOME CARE_OF     one request over UDP; --again sends that of a file before it
    stranger.py mobile-node HOME HOME_AGENT                solicits, registers through whom it hears
    stranger.py foreign-agent ADDRESS                      advertises, relays requests and replies

Each line of standard output is one event as JSON.
"""

import argparse
import json
import pathlib
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from node import Node, Reply  # noqa: E402
from scapy.all import IP, UDP, AsyncSniffer, Ether, ICMP, Raw, conf, get_if_hwaddr, sendp  # noqa: E402
from scapy.utils import checksum  # noqa: E402

PORT = 434
AGENTS, EVERYBODY = "224.0.0.11", "224.0.0.1"
F_BIT = 0x1000


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def group(address):
    """The Ethernet address of a multicast group (RFC 1112 §6.4)."""
    low = struct.unpack("!I", socket.inet_aton(address))[0] & 0x7FFFFF
    return "01:00:5e:%02x:%02x:%02x" % (low >> 16, low >> 8 & 0xFF, low & 0xFF)


def icmp(octets):
    """An ICMP message with its checksum."""
    return octets[:2] + struct.pack("!H", checksum(octets)) + octets[4:]


def advertisement(source, sequence, lifetime=5, registration=400):
    """RFC 5944 §2.1, RFC 1256 §3: one router, the mobility extension, the prefix length, padding."""
    router = socket.inet_aton(source) + struct.pack("!i", 0)
    head = struct.pack("!BBHBBH", 9, 0, 0, 1, 2, lifetime) + router
    mobility = struct.pack("!BBHHH", 16, 10, sequence, registration, F_BIT) + socket.inet_aton(source)
    return icmp(head + mobility + struct.pack("!BBBB", 19, 1, 24, 0))


def read_advertisement(octets):
    """The same in the other direction."""
    assert checksum(octets) == 0 and octets[0] == 9
    count, size, lifetime = octets[4], octets[5], struct.unpack("!H", octets[6:8])[0]
    rest, found = octets[8 + 4 * size * count:], {"lifetime": lifetime}
    while rest:
        if rest[0] == 0:
            rest = rest[1:]
            continue
        kind, body, rest = rest[0], rest[2:2 + rest[1]], rest[2 + rest[1]:]
        if kind == 16:
            found["sequence"], found["registration_lifetime"], found["flags"] = struct.unpack("!HHH", body[:6])
            found["care_of_addresses"] = [socket.inet_ntoa(body[at:at + 4]) for at in range(6, len(body), 4)]
        elif kind == 19:
            found["prefix_lengths"] = list(body)
    return found


def register(words):
    node = Node((words.agent, PORT), words.home, source="0.0.0.0")
    if words.again:
        again = node.exchange(words.again.read_bytes())
        say("replayed", code=again and again.code)
    octets = node.request(
        flags=0 if words.agent != words.home_agent else 0x20, lifetime=words.lifetime,
        home_agent=words.home_agent, care_of_address=words.care_of)
    if words.save:
        words.save.write_bytes(octets)
    reply = node.exchange(octets)
    say("reply", code=reply and reply.code, authentic=bool(reply and reply.extensions() and reply.is_authentic()))


def mobile_node(words):
    """Everything by Ethernet frames, as the home address is none of this link."""
    frames = []
    sniffer = AsyncSniffer(iface="eth0", store=False, prn=frames.append)
    sniffer.start()
    time.sleep(0.5)

    def wait_for(what):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            for frame in list(frames):
                if what(frame):
                    return frame
            time.sleep(0.02)
        raise SystemExit("nothing came")

    own = get_if_hwaddr("eth0")
    solicitation = icmp(struct.pack("!BBHI", 10, 0, 0, 0))
    sendp(Ether(src=own, dst=group(AGENTS)) / IP(src=words.home, dst=AGENTS, ttl=1, proto=1) / Raw(solicitation),
          iface="eth0", verbose=False)
    heard = wait_for(lambda it: ICMP in it and it[ICMP].type == 9)
    agent, found = heard[IP].src, read_advertisement(bytes(heard[IP].payload))
    say("heard", agent=agent, to=heard[IP].dst, ttl=heard[IP].ttl, **found)
    node = Node((agent, PORT), words.home, source="0.0.0.0")
    request = node.request(flags=0, lifetime=200, home_agent=words.home_agent,
                           care_of_address=found["care_of_addresses"][0])
    port = node.socket.getsockname()[1]
    sendp(Ether(src=own, dst=heard[Ether].src) / IP(src=words.home, dst=agent) / UDP(sport=port, dport=PORT)
          / Raw(request), iface="eth0", verbose=False)
    answer = wait_for(lambda it: UDP in it and it[UDP].dport == port and it[IP].src == agent)
    reply = Reply(bytes(answer[UDP].payload))
    say("reply", code=reply.code, lifetime=reply.lifetime, authentic=reply.is_authentic(), to=answer[IP].dst)
    sniffer.stop()


def foreign_agent(words):
    """Relays what it hears; keeps who asked by the lower half of the Identification."""
    own, pending = get_if_hwaddr("eth0"), {}
    relay = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    relay.bind((words.address, PORT))

    def take(frame):
        if UDP not in frame or frame[UDP].dport != PORT or frame[IP].dst != words.address:
            return
        octets = bytes(frame[UDP].payload)
        if octets[0] == 1:
            pending[octets[20:24]] = (frame[Ether].src, frame[IP].src, frame[UDP].sport)
            home_agent = socket.inet_ntoa(octets[8:12])
            relay.sendto(octets, (home_agent, PORT))
            say("relayed", home_agent=home_agent, source=frame[IP].src, ttl=frame[IP].ttl)
        elif octets[0] == 3 and octets[16:20] in pending:
            hardware, address, port = pending.pop(octets[16:20])
            sendp(Ether(src=own, dst=hardware) / IP(src=words.address, dst=address)
                  / UDP(sport=PORT, dport=port) / Raw(octets), iface="eth0", verbose=False)
            say("answered", code=octets[1])

    def advertise():
        for sequence in range(65536):
            sendp(Ether(src=own, dst=group(EVERYBODY))
                  / IP(src=words.address, dst=EVERYBODY, ttl=1, proto=1)
                  / Raw(advertisement(words.address, sequence)), iface="eth0", verbose=False)
            time.sleep(1)

    threading.Thread(target=advertise, daemon=True).start()
    sniffer = AsyncSniffer(iface="eth0", store=False, prn=take)
    sniffer.start()
    say("ready")
    sniffer.join()


def parse():
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("register")
    for word in ("agent", "home_agent", "home", "care_of"):
        verb.add_argument(word)
    verb.add_argument("--lifetime", type=int, default=300)
    verb.add_argument("--again", type=pathlib.Path)
    verb.add_argument("--save", type=pathlib.Path)
    verb.set_defaults(run=register)
    verb = verbs.add_parser("mobile-node")
    verb.add_argument("home")
    verb.add_argument("home_agent")
    verb.set_defaults(run=mobile_node)
    verb = verbs.add_parser("foreign-agent")
    verb.add_argument("address")
    verb.set_defaults(run=foreign_agent)
    return parser.parse_args()


if __name__ == "__main__":
    conf.verb = 0
    arguments = parse()
    arguments.run(arguments)
