"""Registers nodes in a loop until it is terminated; prints a line for each acknowledged request.

    register_loop.py PORT NODES SECONDS

A line: home address, identification, granted lifetime, time of the reply.
"""

import selectors
import sys
import time

from node import Node, Reply, identification


def main(port, count, seconds):
    nodes = [Node(("127.0.0.1", port), f"10.99.{1 + number // 250}.{1 + number % 250}") for number in range(count)]
    waiting = selectors.DefaultSelector()
    sent = {}
    for node in nodes:
        node.socket.setblocking(False)
        waiting.register(node.socket, selectors.EVENT_READ, node)
    end = time.monotonic() + seconds
    for node in nodes:
        send(node, sent)
    while time.monotonic() < end:
        for key, _ in waiting.select(timeout=0.2):
            receive(key.data)
            send(key.data, sent)
        for node in nodes:
            if time.monotonic() - sent[node][0] > 0.5:
                send(node, sent)


def send(node, sent):
    at = time.time()
    sent[node] = (time.monotonic(), identification(at))
    try:
        node.socket.sendto(node.request(lifetime=900, at=at), node.home_agent)
    except OSError:
        pass  # Nobody listens: the home agent was killed a moment ago.


def receive(node):
    try:
        reply = Reply(node.socket.recv(4096))
    except OSError:
        return
    if reply.code == 0:
        print(node.home_address, reply.identification, reply.lifetime, time.time(), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
