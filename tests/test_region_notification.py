"""Generic notifications (RFC 6098) through a region (RFC 4857): real agents, and a node written by hand at its end."""

import pytest

from harness import wait_until
from node import authenticated
from notification import (
    FOREIGN_AGENT_TO_NODE, HOME_AGENT_TO_NODE, MOBILE_FOREIGN, MOBILE_HOME, NODE_TO_HOME_AGENT, Peer, acknowledgement, notification,
)
from region import HOME_AGENT, NODE_SPI, configure, key_of, start_region, visitors
from regional_node import RegionalNode

GATEWAY, FIRST, SECOND = "127.0.0.9", "127.0.0.11", "127.0.0.12"
HOME = "10.99.7.7"


class RegionalPeer(RegionalNode, Peer):
    """A node of a region that is notified and notifies; it has keys with its home agent and with the gateway."""

    def signed(self, octets, at_home=True):
        if at_home:
            octets = authenticated(octets, MOBILE_HOME, self.spi, self.key)
        return authenticated(octets, MOBILE_FOREIGN, NODE_SPI, key_of("node"))

    def heard(self, direction, text):
        """The next message says so, and is signed by the gateway, and by the home agent if it is from there."""
        message, source = self.receive()
        assert message.direction == direction and text in [said for _, said in message.texts()], message
        assert message.signed(MOBILE_FOREIGN, key_of("node"))
        assert message.signed(MOBILE_HOME) == (direction == HOME_AGENT_TO_NODE)
        return message, source


@pytest.fixture
def region(daemon):
    served = start_region(daemon, [(GATEWAY, FIRST), (None, SECOND)], [HOME])
    configure(served, {FIRST: GATEWAY, SECOND: GATEWAY}, regional_lifetime=300)
    return served


def test_words_go_through_the_region_and_back(region):
    node = RegionalPeer((FIRST, region.port), HOME, GATEWAY, key_of("node"), source="127.0.0.50")
    assert node.register_at_home(HOME_AGENT).code == 0
    wait_until(lambda: len(visitors(region, FIRST)) == 1, what="the visitor")

    # Of the home agent; the second time the node has moved, and its new foreign agent knows no home agent of it.
    for agent, text in ((FIRST, "mind the gap"), (SECOND, "good evening")):
        if agent == SECOND:
            node.home_agent = (SECOND, region.port)
            assert node.register_regionally(care_of=SECOND).code == 0
            wait_until(lambda: (len(visitors(region, FIRST)), len(visitors(region, SECOND))) == (0, 1), what="the move")
        (row,) = region.rows("notify", "message", text, "--home-address", HOME, "--yes")
        message, source = node.heard(HOME_AGENT_TO_NODE, text)
        assert source[0] == agent, "from the foreign agent that it is at"
        node.socket.sendto(node.signed(acknowledgement(message)), source)
        assert region.ended(row["id"])["results"] == {"acknowledged": 1}

    # Of an operator of the gateway.
    (row,) = region.rows("notify", "message", "full soon", "--from", "foreign-agent", "--foreign-agent", GATEWAY, "--yes")
    message, source = node.heard(FOREIGN_AGENT_TO_NODE, "full soon")
    node.socket.sendto(node.signed(acknowledgement(message), at_home=False), source)
    assert region.ended(row["id"])["results"] == {"acknowledged": 1}

    # Of the node.
    octets = notification(NODE_TO_HOME_AGENT, HOME, HOME_AGENT, GATEWAY, "hello")
    node.socket.sendto(node.signed(octets), node.home_agent)
    answer, source = node.receive()
    assert (answer.kind, answer.code, answer.direction, source[0]) == (23, 0, HOME_AGENT_TO_NODE, SECOND)
    assert answer.signed(MOBILE_HOME) and answer.signed(MOBILE_FOREIGN, key_of("node"))
    wait_until(lambda: "notified: hello" in [row["event"] for row in region.rows("show", "trail", HOME)], what="it in the trail")

    # What the gateway cannot believe goes no further.
    before = region.counted("notificationsReceived", "home-agent")
    octets = authenticated(notification(NODE_TO_HOME_AGENT, HOME, HOME_AGENT, GATEWAY, "forged"), MOBILE_HOME, 1000, bytes(16))
    node.socket.sendto(authenticated(octets, MOBILE_FOREIGN, NODE_SPI, bytes(16)), node.home_agent)
    wait_until(lambda: region.counted("notificationsDiscarded", "gateway") == 1, what="the refusal")
    assert region.counted("notificationsReceived", "home-agent") == before
