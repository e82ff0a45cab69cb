"""A region written by hand with Scapy, for namespaces of their own: it shares nothing with the programs under test.

    regional_stranger.py foreign-agent ADDRESS GATEWAY     advertises a region, relays what is for its gateway and what is not
    regional_stranger.py gateway ADDRESS                   registers nodes at home, answers regional requests

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

from node import authenticated, extension, hmac_md5  # noqa: E402
from regional_node import (  # noqa: E402
    FOREIGN_FOREIGN, HIERARCHICAL_FOREIGN_AGENT, MOBILE_GATEWAY, REGIONAL_REGISTRATION_LIFETIME, address_of,
    generalized, hierarchical, packed, walk,
)
from scapy.all import IP, UDP, AsyncSniffer, Ether, Raw, conf, get_if_hwaddr, sendp  # noqa: E402
from stranger import EVERYBODY, F_BIT, PORT, group, icmp  # noqa: E402

I_BIT = 0x0020
#: Of foreign agent and gateway, and of gateway and node.
REGION, NODE = (5000, b"a key of the region"[:16]), (3000, b"node and gateway"[:16])
REGIONAL_LIFETIME = 6


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def advertisement(source, gateway, sequence):
    """RFC 4857 §4.3, §8.2: the I bit, the gateway as the last care-of address, the FA-NAI."""
    router = packed(source) + struct.pack("!i", 0)
    head = struct.pack("!BBHBBH", 9, 0, 0, 1, 2, 5) + router
    mobility = struct.pack("!BBHHH", 16, 14, sequence, 400, F_BIT | I_BIT) + packed(source) + packed(gateway)
    prefix = struct.pack("!BBB", 19, 1, 24)
    nai = b"\x03fa@region.example"
    octets = head + mobility + prefix + extension(136, nai)
    return icmp(octets + bytes(len(octets) % 2))


def foreign_agent(words):
    own, pending = get_if_hwaddr("eth0"), {}
    relay = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    relay.bind((words.address, PORT))

    def take(frame):
        if UDP not in frame or frame[UDP].dport != PORT or frame[IP].dst != words.address:
            return
        octets = bytes(frame[UDP].payload)
        if octets[0] in (1, 18):
            pending[octets[20:24]] = (frame[Ether].src, frame[IP].src, frame[UDP].sport)
            to = address_of(octets[8:12])
            if words.gateway in (to, address_of(octets[12:16])):
                to = words.gateway
                octets = generalized(hierarchical(octets, words.address), FOREIGN_FOREIGN, *REGION)
            relay.sendto(octets, (to, PORT))
            say("relayed", type=octets[0], to=to, care_of=address_of(octets[12:16]))
        elif octets[0] in (3, 19) and octets[16:20] in pending:
            hardware, address, port = pending.pop(octets[16:20])
            sendp(Ether(src=own, dst=hardware) / IP(src=words.address, dst=address)
                  / UDP(sport=PORT, dport=port) / Raw(octets), iface="eth0", verbose=False)

    def advertise():
        for sequence in range(65536):
            sendp(Ether(src=own, dst=group(EVERYBODY)) / IP(src=words.address, dst=EVERYBODY, ttl=1, proto=1)
                  / Raw(advertisement(words.address, words.gateway, sequence)), iface="eth0", verbose=False)
            time.sleep(1)

    threading.Thread(target=advertise, daemon=True).start()
    sniffer = AsyncSniffer(iface="eth0", store=False, prn=take)
    sniffer.start()
    say("ready")
    sniffer.join()


def is_signed(octets, spi, key):
    """Whether what `octets` end with is the authenticator of an extension with that SPI over the rest."""
    covered, authenticator = octets[:-16], octets[-16:]
    return covered[-4:] == struct.pack("!I", spi) and authenticator == hmac_md5(key, covered)


def without_foreign_agent(octets):
    """What the foreign agent added, checked and taken off: the rest, and where it says that the node is."""
    assert is_signed(octets, *REGION), octets.hex()
    kind, subtype, body = walk(octets[24:])[-1]
    assert (kind, subtype) == (36, FOREIGN_FOREIGN)
    inner = octets[:-(4 + len(body))]
    kind, _, body = walk(inner[24:])[-1]
    assert kind == HIERARCHICAL_FOREIGN_AGENT and len(body) == 6
    return inner[:-8], address_of(body[2:])


def gateway(words):
    waiting = {}
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.bind((words.address, PORT))
    say("ready")
    while True:
        octets, source = own.recvfrom(4096)
        if octets[0] == 1:
            request, at = without_foreign_agent(octets)
            assert address_of(request[12:16]) == words.address
            kind, _, body = walk(request[24:])[-1]
            assert kind == 33 and is_signed(request, *NODE), "the node authenticates itself for its gateway"
            waiting[request[20:24]] = (source, at)
            own.sendto(request[:-(2 + len(body))], (address_of(request[8:12]), PORT))
        elif octets[0] == 3 and octets[16:20] in waiting:
            source, at = waiting.pop(octets[16:20])
            lifetime = extension(REGIONAL_REGISTRATION_LIFETIME, struct.pack("!HI", 0, REGIONAL_LIFETIME))
            own.sendto(authenticated(octets + lifetime, 33, *NODE), source)
            say("home", code=octets[1], at=at)
        elif octets[0] == 18:
            request, at = without_foreign_agent(octets)
            kind, subtype, _ = walk(request[24:])[-1]
            authentic = (kind, subtype) == (36, MOBILE_GATEWAY) and is_signed(request, *NODE)
            lifetime = min(struct.unpack("!H", request[2:4])[0], REGIONAL_LIFETIME)
            reply = struct.pack("!BBH", 19, 0 if authentic else 67, lifetime) + request[4:12] + request[16:24]
            own.sendto(generalized(reply, MOBILE_GATEWAY, *NODE), source)
            say("regional", authentic=authentic, at=at, care_of=address_of(request[12:16]))


def parse():
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("foreign-agent")
    verb.add_argument("address")
    verb.add_argument("gateway")
    verb.set_defaults(run=foreign_agent)
    verb = verbs.add_parser("gateway")
    verb.add_argument("address")
    verb.set_defaults(run=gateway)
    return parser.parse_args()


if __name__ == "__main__":
    conf.verb = 0
    arguments = parse()
    arguments.run(arguments)
