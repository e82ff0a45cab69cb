"""Many mobile nodes of a region at once, written by hand from the figures of RFC 5944 and RFC 4857.

Each one registers at home through its foreign agent, renews regionally, renews at home now and then, and does what
RFC 4857 says when it is refused: a gateway that its foreign agent does not know (Code 112), or a care-of address that
it does not offer (77), sends it to the other gateway by a home registration.
"""

import collections
import heapq
import itertools
import selectors
import socket
import struct
import threading
import time

from node import KEY, authenticated, identification
from region import HOME_AGENT, NODE_SPI, key_of
from regional_node import MOBILE_GATEWAY, generalized, packed, regional_request

#: A request that nobody answers is sent again after so long, then after twice as long each time (RFC 5944 §3.6.3).
PATIENCE, PATIENCE_MAX = 2.0, 32.0


class LoadNode:
    """One node, as its state; [`Load`] sends for it."""

    def __init__(self, home, source, agent, gateways):
        self.home, self.agent = home, agent
        self.gateways = collections.deque(gateways)
        self.at_home = 0  # The next home registration is due when this many regional ones have gone.
        self.awaited = None
        self.renewals = 0
        self.patience = PATIENCE
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((source, 0))
        self.socket.setblocking(False)

    @property
    def gateway(self):
        return self.gateways[0]

    def message(self, home_every):
        """The next request; a home registration after `home_every` regional ones."""
        if self.at_home <= 0:
            stamp = identification()
            message = struct.pack(
                "!BBH4s4s4sQ", 1, 0, 600, packed(self.home), packed(HOME_AGENT), packed(self.gateway), stamp)
            message = authenticated(authenticated(message, 32, 1000, KEY), 33, NODE_SPI, key_of("node"))
        else:
            message = regional_request(self.home, self.gateway, "0.0.0.0", lifetime=300)
            message = generalized(message, MOBILE_GATEWAY, NODE_SPI, key_of("node"))
        self.awaited = (3 if message[0] == 1 else 19, message[20:24])
        self.home_every = home_every
        return message

    def take(self, octets):
        """Takes a datagram; its Code if it answers what was sent last."""
        if self.awaited is None or octets[0] != self.awaited[0] or octets[16:20] != self.awaited[1]:
            return None
        is_home, self.awaited, self.patience = octets[0] == 3, None, PATIENCE
        code = octets[1]
        if code in (0, 1):
            self.renewals += 1
            self.at_home = self.home_every if is_home else self.at_home - 1
        elif code in (77, 112):
            self.gateways.rotate()
            self.at_home = 0
        elif code == 193:
            self.at_home = 0
        return code


class Load(threading.Thread):
    """Runs nodes until it is stopped; what they were told is in `codes`."""

    def __init__(self, nodes, port, period=0.5, home_every=6):
        super().__init__(daemon=True)
        self.nodes, self.port, self.period, self.home_every = nodes, port, period, home_every
        self.codes, self.unanswered = collections.Counter(), 0
        self.is_over = False
        self.selector = selectors.DefaultSelector()
        for node in nodes:
            self.selector.register(node.socket, selectors.EVENT_READ, node)

    def run(self):
        order = itertools.count()
        start = time.monotonic()
        due = [(start + self.period * number / len(self.nodes), next(order), node) for number, node in enumerate(self.nodes)]
        waits = {}
        heapq.heapify(due)
        while not self.is_over:
            now = time.monotonic()
            while due and due[0][0] <= now:
                at, _, node = heapq.heappop(due)
                if node.awaited is not None and now < waits[node]:
                    heapq.heappush(due, (now + 0.05, next(order), node))
                    continue
                if node.awaited is not None:
                    self.unanswered += 1
                    node.patience = min(2 * node.patience, PATIENCE_MAX)
                node.socket.sendto(node.message(self.home_every), (node.agent, self.port))
                waits[node] = now + node.patience
                heapq.heappush(due, (max(at, now - self.period) + self.period, next(order), node))
            for key, _ in self.selector.select(0.01):
                try:
                    octets, _ = key.data.socket.recvfrom(4096)
                except OSError:
                    continue
                code = key.data.take(octets)
                if code is not None:
                    self.codes[code] += 1

    def stop(self):
        self.is_over = True
        self.join()
        for node in self.nodes:
            node.socket.close()


class Bindings(threading.Thread):
    """Looks at the home agent's bindings all the while; a node without one is in `lost`."""

    def __init__(self, served, homes):
        super().__init__(daemon=True)
        self.served, self.homes = served, set(homes)
        self.samples, self.lost = 0, []
        self.is_over = False

    def run(self):
        while not self.is_over:
            bound = {row["home_address"] for row in self.served.rows("show", "bindings")}
            self.samples += 1
            if self.homes - bound:
                self.lost.append(sorted(self.homes - bound))
            time.sleep(0.05)

    def stop(self):
        self.is_over = True
        self.join()
