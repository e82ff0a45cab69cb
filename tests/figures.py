"""Messages and extensions as the RFCs draw them; shares nothing with the crate `wire`."""

import ipaddress

# One word for each field: its bits, or `*` for the rest of the data. `ipv4` has 32.
# RFC 4857 section 10.1.
REGIONAL_REQUEST = (
    "type:8 S:1 B:1 D:1 M:1 G:1 r:1 T:1 x:1 lifetime:16 home_address:ipv4 gfa_ip_address:ipv4"
    " care_of_address:ipv4 identification:64"
)
# RFC 4857 section 10.2.
REGIONAL_REPLY = (
    "type:8 code:8 lifetime:16 home_address:ipv4 gfa_ip_address:ipv4 identification:64"
)
# RFC 6098 section 4.1.
NOTIFICATION = (
    "type:8 MD:8 A:1 reserved:15 home_address:ipv4 home_agent_address:ipv4"
    " care_of_address:ipv4 identification:64"
)
# RFC 6098 section 4.2.
NOTIFICATION_ACKNOWLEDGEMENT = (
    "type:8 MD:8 code:8 reserved:8 home_address:ipv4 home_agent_address:ipv4"
    " care_of_address:ipv4 identification:64"
)
# RFC 5944 sections 3.3 and 3.4.
REQUEST = (
    "type:8 S:1 B:1 D:1 M:1 G:1 r:1 T:1 x:1 lifetime:16 home_address:ipv4 home_agent:ipv4"
    " care_of_address:ipv4 identification:64"
)
REPLY = "type:8 code:8 lifetime:16 home_address:ipv4 home_agent:ipv4 identification:64"
# RFC 3543 sections 3.3 and 3.4.
REVOCATION = (
    "type:8 reserved:8 A:1 I:1 reserved2:14 home_address:ipv4 home_domain_address:ipv4"
    " foreign_domain_address:ipv4 revocation_identifier:32"
)
REVOCATION_ACKNOWLEDGMENT = (
    "type:8 reserved:8 I:1 reserved2:15 home_address:ipv4 revocation_identifier:32"
)

MESSAGES = {
    1: REQUEST,
    3: REPLY,
    7: REVOCATION,
    15: REVOCATION_ACKNOWLEDGMENT,
    18: REGIONAL_REQUEST,
    19: REGIONAL_REPLY,
    22: NOTIFICATION,
    23: NOTIFICATION_ACKNOWLEDGEMENT,
}

# Figures of the extensions, from the Type on; `length` or `length_long` counts what follows it.
EXTENSIONS = {
    32: "type:8 length:8 spi:32 authenticator:*",  # RFC 5944 section 3.5.2
    33: "type:8 length:8 spi:32 authenticator:*",  # RFC 5944 section 3.5.3
    34: "type:8 length:8 spi:32 authenticator:*",  # RFC 5944 section 3.5.4
    36: "type:8 subtype:8 length:16 spi:32 authenticator:*",  # RFC 4721 section 5
    38: "type:8 reserved:8 length:16 vendor:32 vendor_type:16 value:*",  # RFC 3115 section 2.1
    44: "type:8 length:8 subtype:8 reply_code:8 F:1 reserved:15 keepalive:16",  # RFC 3519 section 3.2
    45: "type:8 length:8 subtype:8 status:8",  # RFC 4636 section 3
    46: "type:8 length:8 reserved:16 gfa_ip_address:ipv4",  # RFC 4857 section 9.1
    48: "type:8 subtype:8 length:16 key_identifier:32",  # RFC 6245 section 5
    130: "type:8 length:8",  # RFC 3024 section 3.3
    131: "type:8 length:8 nai:*",  # RFC 2794 section 2
    132: "type:8 length:8 challenge:*",  # RFC 4721 section 4
    134: "type:8 length:8 reserved:16 vendor:32 vendor_type:16 value:*",  # RFC 3115 section 2.2
    136: "type:8 length:8 subtype:8 nai:*",  # RFC 3846 section 3
    137: "type:8 length:8 I:1 reserved:15 timestamp:32",  # RFC 3543 section 3.2
    139: "type:8 subtype:8 length:16 ha_address:ipv4",  # RFC 4433 section 3.4
    140: "type:8 length:8 reserved:16 fa_ip_address:ipv4",  # RFC 4857 section 9.2
    141: "type:8 length:8 style:16 initial_identification:64",  # RFC 4857 section 9.3
    142: "type:8 length:8 reserved:16 lifetime:32",  # RFC 4857 section 9.4
    144: (  # RFC 3519 section 3.1
        "type:8 length:8 subtype:8 reserved1:8 F:1 R:1 reserved2:6 encapsulation:8 reserved3:16"
    ),
    145: "type:8 length:8 subtype:8 text:*",  # RFC 4917 section 3
    148: {  # RFC 5177 sections 4.1 and 4.2
        0: "type:8 length:8 subtype:8 prefix_length:8 prefix:ipv4",
        1: "type:8 length:8 subtype:8 code:8 prefix_length:8 reserved:8 prefix:ipv4",
        2: "type:8 length:8 subtype:8 code:8 prefix_length:8 reserved:8 prefix:ipv4",
    },
}


class Bits:
    """Reads fields of any width from the front."""

    def __init__(self, octets):
        self.octets = octets
        self.at = 0

    def take(self, width):
        if self.at + width > 8 * len(self.octets):
            raise ValueError(f"{width} bits wanted at bit {self.at} of {self.octets.hex()}")
        whole = int.from_bytes(self.octets, "big")
        value = whole >> (8 * len(self.octets) - self.at - width) & ((1 << width) - 1)
        self.at += width
        return value

    def rest(self):
        assert self.at % 8 == 0
        octets = self.octets[self.at // 8 :]
        self.at = 8 * len(self.octets)
        return octets


def read(figure, octets):
    """The fields of a figure, and the octets that follow it."""
    bits, fields = Bits(octets), {}
    for word in figure.split():
        name, _, width = word.partition(":")
        if width == "*":
            fields[name] = bits.rest()
        elif width == "ipv4":
            fields[name] = str(ipaddress.IPv4Address(bits.take(32)))
        else:
            fields[name] = bits.take(int(width))
    return fields, bits.rest()


def decode(octets):
    """A message: its fixed fields, and a list of its extensions in order.

    Each extension also has `covered`: the octets that an Authenticator in it protects, which are
    all before the Authenticator (RFC 5944 section 3.5.1).
    """
    fields, rest = read(MESSAGES[octets[0]], octets)
    extensions = []
    while rest:
        kind = rest[0]
        if kind == 0:
            rest = rest[1:]
            continue
        figure = EXTENSIONS[kind]
        if isinstance(figure, dict):
            figure = figure[rest[2]]
        header = 4 if "length:16" in figure else 2
        length = int.from_bytes(rest[2:4], "big") if header == 4 else rest[1]
        whole = rest[: header + length]
        if len(whole) != header + length:
            raise ValueError(f"extension {kind} runs over the end")
        extension, left = read(figure, whole)
        if left:
            raise ValueError(f"extension {kind} is longer than its figure")
        end = len(octets) - len(rest) + len(whole)
        extension["covered"] = octets[: end - len(extension.get("authenticator", b""))]
        extensions.append(extension)
        rest = rest[len(whole) :]
    return fields, extensions
