"""GETBULK written by hand (RFC 3416, X.690), so that a test sees where one response ends and the next begins."""

import os
import socket

SEQUENCE, INTEGER, OCTETS, NULL, OID = 0x30, 0x02, 0x04, 0x05, 0x06
GET, GET_BULK, RESPONSE = 0xA0, 0xA5, 0xA2
END_OF_MIB_VIEW = 0x82


def tlv(tag, content):
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def integer(number):
    return tlv(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def oid(name):
    octets = bytearray([40 * name[0] + name[1]])
    for part in name[2:]:
        group = [part & 0x7F]
        while part := part >> 7:
            group.append(part & 0x7F | 0x80)
        octets += bytes(reversed(group))
    return tlv(OID, bytes(octets))


def read(octets):
    """Tag, content and what follows."""
    size, at = octets[1], 2
    if size & 0x80:
        at += size & 0x7F
        size = int.from_bytes(octets[2:at], "big")
    assert len(octets) >= at + size, "a length beyond the end"
    return octets[0], octets[at:at + size], octets[at + size:]


def name_of(content):
    name, part = [content[0] // 40, content[0] % 40], 0
    for octet in content[1:]:
        part = part << 7 | octet & 0x7F
        if not octet & 0x80:
            name.append(part)
            part = 0
    return tuple(name)


def parse(octets, community):
    """What a response answers, its error status, and its variables as (name, tag, content)."""
    tag, content, rest = read(octets)
    assert (tag, rest) == (SEQUENCE, b"")
    _, _, content = read(content)
    _, found, content = read(content)
    assert found == community
    tag, content, rest = read(content)
    assert (tag, rest) == (RESPONSE, b"")
    _, request, content = read(content)
    _, status, content = read(content)
    _, _, content = read(content)
    tag, content, rest = read(content)
    assert (tag, rest) == (SEQUENCE, b"")
    variables = []
    while content:
        _, variable, content = read(content)
        _, name, value = read(variable)
        tag, value, rest = read(value)
        assert rest == b""
        variables.append((name_of(name), tag, value))
    return int.from_bytes(request, "big"), int.from_bytes(status, "big"), variables


class Client:
    """One manager with SNMPv2c."""

    def __init__(self, port, community="public", timeout=5):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(timeout)
        self.socket.connect(("127.0.0.1", port))
        self.community = community.encode()

    def ask(self, kind, first, second, names):
        """The error status of the response, and its variables as (name, tag, content)."""
        request = int.from_bytes(os.urandom(3), "big")
        variables = tlv(SEQUENCE, b"".join(tlv(SEQUENCE, oid(name) + tlv(NULL, b"")) for name in names))
        pdu = tlv(kind, integer(request) + integer(first) + integer(second) + variables)
        message = tlv(SEQUENCE, integer(1) + tlv(OCTETS, self.community) + pdu)
        for _ in range(3):
            self.socket.send(message)
            try:
                while True:
                    answer = self.socket.recv(65536)
                    got, status, found = parse(answer, self.community)
                    if got == request:
                        return status, found
            except socket.timeout:
                continue
        raise AssertionError("no answer")

    def get(self, *names):
        return self.ask(GET, 0, 0, names)

    def bulk(self, names, repetitions=50):
        return self.ask(GET_BULK, 0, repetitions, names)

    def responses(self, root, repetitions=50):
        """The variables of each response of a walk below `root`."""
        last = root
        while True:
            status, variables = self.bulk([last], repetitions)
            assert status == 0, status
            below = [it for it in variables if it[0][:len(root)] == root and it[1] != END_OF_MIB_VIEW]
            if below:
                yield below
                assert all(one[0] < other[0] for one, other in zip(below, below[1:])), "not in order"
                assert below[0][0] > last, "not increasing"
                last = below[-1][0]
            if len(below) < len(variables) or not variables:
                return
