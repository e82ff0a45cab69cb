"""Notifications (RFC 6098), message strings (RFC 4917) and drains, with peers and a decoder written from the figures."""

import collections
import json
import os
import random
import subprocess
import threading
import time

import pytest

from harness import FOREIGN_AGENT, MIP4CTL, free_port, wait_until
from node import KEY, authenticated
from notification import (
    A_BIT, FIGURE, FOREIGN_AGENT_TO_HOME_AGENT, FOREIGN_AGENT_TO_NODE, FOREIGN_HOME, HOME_AGENT_TO_FOREIGN_AGENT,
    HOME_AGENT_TO_NODE, MOBILE_FOREIGN, MOBILE_HOME, NODE_TO_FOREIGN_AGENT, NODE_TO_HOME_AGENT, Peer, acknowledgement,
    clock_of, decode, notification,
)

HOME, OTHER_HOME = "10.99.0.7", "10.99.0.8"
ONE = {"peer": HOME, "spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()}
OTHER = {"peer": OTHER_HOME, "spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()}
AGENT = {"peer": "127.0.0.2", "spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()}
MESSAGES = """
[[home-agent.message]]
code = 131
text = "never sent: who fails authentication is told nothing"
[[home-agent.message]]
code = 0
text = "Grüß Gott"
"""


def events(running, home=HOME):
    """What happened to a node; its trail follows a moment after its reply."""
    done = subprocess.run(
        [MIP4CTL, "--store", f"unix:{running.directory}/store.sock", "-o", "json", "show", "trail", home],
        capture_output=True, text=True, timeout=60)
    return [row["event"] for row in json.loads(done.stdout).get("rows", [])]


def bound(running):
    """What bindings there are, and what was registered last."""
    return [{**row, "time_remaining_seconds": None} for row in running.rows("show", "bindings")]


def result_of(running, number):
    return [row["result"] for row in running.rows("show", "operation", str(number))]


@pytest.fixture
def served(daemon):
    return daemon(associations=[ONE, OTHER, AGENT], extra=MESSAGES).start()


@pytest.fixture
def node(served):
    node = Peer(("127.0.0.1", served.mip_port), HOME)
    reply = node.register()
    assert reply.code == 0 and reply.is_authentic()
    # RFC 4917 §3, §5: type 145, sub-type 1, UTF-8, before the authentication.
    assert (145, b"\x01" + "Grüß Gott".encode()) in reply.extensions()
    return node


def test_notifications_as_the_figures_draw_them(served, node):
    text = "Maintenance at noon, sorry: ä"
    (row,) = served.rows("notify", "message", text, "--home-address", HOME, "--yes", "--reason", "a test")
    message, source = node.receive()
    assert source == ("127.0.0.1", served.mip_port)
    assert (message.kind, message.direction, message.flags, message.reserved) == (22, HOME_AGENT_TO_NODE, A_BIT, 0)
    assert (message.home_address, message.home_agent, message.care_of_address) == (HOME, "127.0.0.1", "127.0.0.1")
    assert abs(clock_of(message.identification) - time.time()) < 60
    assert message.texts() == [(1, text)]
    assert message.signed(MOBILE_HOME) and [kind for kind, _, _ in message.extensions] == [145, 32]
    # Nobody answers: it comes again, and counts as another message (§4.3).
    again, _ = node.receive()
    assert again.identification > message.identification and again.texts() == message.texts()
    # The answer to the first is none to the second (§4.5.4); another's key is none (§4.7.2).
    node.answer(message, source)
    stranger = Peer(node.home_agent, HOME, key=b"another key of 16")
    stranger.socket = node.socket
    stranger.answer(again, source)
    wait_until(lambda: served.counted("notificationAcknowledgementsUnexpected") == 1)
    wait_until(lambda: served.counted("notificationsDiscarded") == 1)
    assert result_of(served, row["id"]) == ["sent"]
    node.answer(again, source)
    row = served.ended(row["id"])
    assert row["state"] == "done" and row["results"] == {"acknowledged": 1} and row["reason"] == "a test", row
    assert len(served.rows("show", "bindings")) == 1, "it has no effect on the registration"
    for counter, count in [("notificationsSent", 1), ("notificationsRetried", 1), ("notificationsAcknowledged", 1)]:
        wait_until(lambda: served.counted(counter) == count, what=counter)


def test_refusals_and_clocks_of_peers(served, node):
    (row,) = served.rows("notify", "message", "hello", "--all", "--yes")
    message, source = node.receive()
    # A node whose clock is a minute ahead: the next message goes by that (§7.1.1).
    node.answer(message, source, code=197, at=time.time() + 60)
    mended, _ = node.receive()
    assert 30 < clock_of(mended.identification) - time.time() < 90
    node.answer(mended, source, code=193)
    served.ended(row["id"])
    (target,) = served.rows("show", "operation", str(row["id"]))
    assert (target["result"], target["code"]) == ("denied", 193)
    served.ctl("wait", "operation", str(row["id"]), expect=1)


def test_a_node_notifies_its_home_agent(served, node):
    octets = node.notify("battery is low", flags=A_BIT | 0x7FFF)  # Reserved bits are ignored when received (§4.1).
    answer, source = node.receive()
    assert (answer.kind, answer.direction, answer.code, answer.reserved) == (23, HOME_AGENT_TO_NODE, 0, 0)
    assert answer.identification == decode(octets).identification and answer.signed(MOBILE_HOME)
    assert (answer.home_address, answer.home_agent, answer.care_of_address) == (HOME, "127.0.0.1", "127.0.0.1")
    assert source == ("127.0.0.1", served.mip_port)
    wait_until(lambda: "notified: battery is low" in events(served))
    node.notify("no answer is wanted", flags=0)
    wait_until(lambda: "notified: no answer is wanted" in events(served))
    assert node.is_silent()
    wait_until(lambda: served.counted("notificationsReceived") == 2)


def test_what_is_not_good_changes_nothing_and_is_a_violation(served, node):
    """Unauthenticated, replayed, reflected and stale ones, and what is not permitted."""
    before = bound(served)
    good = node.notify("good", at=time.time() - 1)
    # From before this home agent had started, perhaps; its answer says what its clock is.
    answer, _ = node.receive()
    if answer.code == 133:
        good = node.notify("good")
        answer, _ = node.receive()
    assert answer.code == 0
    wrong = 0

    def refused(code, send):
        nonlocal wrong
        if code is not None:
            time.sleep(1.1)  # Refusals are sent once a second.
        send()
        wrong += 1
        if code is None:
            assert node.is_silent()
        else:
            answer, _ = node.receive()
            assert (answer.kind, answer.code) == (23, code)
            assert answer.signed(MOBILE_HOME)
        wait_until(lambda: served.counted("notificationsDiscarded") >= wrong, what="it to be counted")

    refused(133, lambda: node.socket.sendto(good, node.home_agent))
    refused(133, lambda: node.notify("stale", at=time.time() - 60))
    refused(133, lambda: node.notify("early", at=time.time() + 60))
    refused(131, lambda: node.notify("no key", kind=None))
    refused(131, lambda: node.notify("wrong key", key=b"another key of 16"))
    refused(131, lambda: node.notify("wrong party", kind=FOREIGN_HOME))
    refused(None, lambda: node.notify("reflected", direction=HOME_AGENT_TO_NODE))
    refused(None, lambda: node.notify("reflected", direction=HOME_AGENT_TO_FOREIGN_AGENT, kind=FOREIGN_HOME))
    refused(None, lambda: node.notify("for a foreign agent", direction=NODE_TO_FOREIGN_AGENT, kind=MOBILE_FOREIGN))
    refused(None, lambda: node.notify("of nobody", direction=77))
    refused(None, lambda: node.notify("an NAI", extra=bytes([131, 3]) + b"a@b"))
    stranger = Peer(node.home_agent, "10.99.0.99")
    refused(None, lambda: stranger.notify("nobody is registered"))
    (violation,) = served.rows("show", "violations")
    assert violation["violator"] == "127.0.0.1" and violation["count"] >= wrong - 1, violation
    assert bound(served) == before
    assert [event for event in events(served) if event.startswith("notified")] == ["notified: good"]


def test_nonsense_of_both_types(served, node):
    rng = random.Random(6098)
    seeds = [node.notify("seed"), node.notify("x", kind=FOREIGN_HOME, direction=FOREIGN_AGENT_TO_HOME_AGENT)]
    seeds.append(FIGURE.pack(23, 2, 0, b"\0" * 4, b"\0" * 4, b"\0" * 4, 0))
    for number in range(5000):
        octets = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 5)):
            octets[rng.randrange(1, len(octets))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        octets = bytes(octets[:rng.randrange(1, len(octets) + 1)] if rng.random() < 0.3 else octets)
        node.socket.sendto(octets, node.home_agent)
        if number % 50 == 49:
            time.sleep(0.01)
    assert served.alive()
    wait_until(lambda: served.counted("notificationsDiscarded") > 0)
    assert node.register().code == 0
    assert len(served.rows("show", "bindings")) == 1


@pytest.fixture
def agent(served):
    """A foreign agent by hand, with a visitor."""
    agent = Peer(("127.0.0.1", served.mip_port), OTHER_HOME, source="127.0.0.2")
    octets = authenticated(agent.request(flags=0), FOREIGN_HOME, 1000)
    reply = agent.exchange(octets)
    assert reply.code == 0 and reply.extensions()[-1][0] == FOREIGN_HOME
    return agent


def test_a_foreign_agent_is_notified_and_notifies(served, agent):
    (row,) = served.rows("notify", "message", "late", "--home-address", OTHER_HOME, "--to", "foreign-agent", "--yes")
    message, source = agent.receive()
    assert (message.direction, message.care_of_address) == (HOME_AGENT_TO_FOREIGN_AGENT, "127.0.0.2")
    assert message.signed(FOREIGN_HOME) and not message.signed(MOBILE_HOME)
    agent.answer(message, source, kind=FOREIGN_HOME)
    assert served.ended(row["id"])["results"] == {"acknowledged": 1}

    agent.notify("the visitor is noisy", kind=FOREIGN_HOME, direction=FOREIGN_AGENT_TO_HOME_AGENT)
    answer, _ = agent.receive()
    assert (answer.kind, answer.direction, answer.code) == (23, HOME_AGENT_TO_FOREIGN_AGENT, 0)
    assert answer.signed(FOREIGN_HOME)
    wait_until(lambda: "notified: the visitor is noisy" in events(served, OTHER_HOME))
    time.sleep(1.1)
    agent.notify("no key", kind=None, direction=FOREIGN_AGENT_TO_HOME_AGENT)
    answer, _ = agent.receive()
    assert answer.code == 132


def test_a_node_is_notified_through_its_foreign_agent(served, agent):
    """What the home agent signs for the node stands first, what it signs for the foreign agent behind it (§4.7.1)."""
    (row,) = served.rows("notify", "message", "hello", "--home-address", OTHER_HOME, "--yes")
    message, source = agent.receive()
    assert message.direction == HOME_AGENT_TO_NODE
    assert [kind for kind, _, _ in message.extensions] == [145, MOBILE_HOME, FOREIGN_HOME]
    assert message.signed(MOBILE_HOME) and message.signed(FOREIGN_HOME)
    # What the node answers comes back with the foreign agent's signature behind it (§4.6.2).
    octets = authenticated(acknowledgement(message), MOBILE_HOME, 1000)
    agent.socket.sendto(authenticated(octets, FOREIGN_HOME, 1000), source)
    assert served.ended(row["id"])["results"] == {"acknowledged": 1}


TALKING_FOREIGN_AGENT = FOREIGN_AGENT + """
[[foreign-agent.message]]
text = "coffee is on the left"
[[association]]
agent = "foreign-agent"
peer = "{home}"
spi = 1001
key = "hex:{key}"
"""


def test_our_foreign_agent_between_a_node_and_a_home_agent(daemon):
    port = free_port()
    extra = TALKING_FOREIGN_AGENT.format(
        address="127.0.0.3", port=port, home_agent_port=port, home=HOME, key=KEY.hex())
    served = daemon(associations=[ONE], port=port, extra=extra).start()
    node = Peer(("127.0.0.3", port), HOME, source="127.0.0.9")

    def signed(octets):
        return authenticated(octets, MOBILE_FOREIGN, 1001)

    asked = node.request(flags=0, care_of_address="127.0.0.3", home_agent="127.0.0.1")
    reply = node.exchange(signed(asked))
    assert reply.code == 0
    kinds = [kind for kind, _ in reply.extensions()]
    assert kinds.index(MOBILE_HOME) < kinds.index(145) < kinds.index(MOBILE_FOREIGN), "RFC 4917 §5"
    (row,) = served.rows("notify", "message", "of the foreign agent", "--from", "foreign-agent", "--all", "--yes")
    message, source = node.receive()
    assert (message.direction, source) == (FOREIGN_AGENT_TO_NODE, ("127.0.0.3", port))
    assert message.texts() == [(2, "of the foreign agent")] and message.signed(MOBILE_FOREIGN)
    node.socket.sendto(signed(acknowledgement(message)), source)
    assert served.ended(row["id"])["results"] == {"acknowledged": 1}

    # Of the home agent, by way of the foreign agent; the answer goes the same way.
    (row,) = served.rows("notify", "message", "of the home agent", "--home-address", HOME, "--yes")
    message, source = node.receive()
    assert (message.direction, message.texts()) == (HOME_AGENT_TO_NODE, [(1, "of the home agent")])
    assert message.signed(MOBILE_HOME) and message.signed(MOBILE_FOREIGN)
    node.socket.sendto(signed(authenticated(acknowledgement(message), MOBILE_HOME, 1000)), source)
    assert served.ended(row["id"])["results"] == {"acknowledged": 1}

    # The node speaks to both.
    to_agent = notification(NODE_TO_FOREIGN_AGENT, HOME, "127.0.0.1", "127.0.0.3", "to you")
    node.socket.sendto(signed(to_agent), ("127.0.0.3", port))
    answer, _ = node.receive()
    assert (answer.direction, answer.code) == (FOREIGN_AGENT_TO_NODE, 0) and answer.signed(MOBILE_FOREIGN)
    to_home = authenticated(notification(NODE_TO_HOME_AGENT, HOME, "127.0.0.1", "127.0.0.3", "to home"), MOBILE_HOME, 1000)
    node.socket.sendto(signed(to_home), ("127.0.0.3", port))
    answer, _ = node.receive()
    assert (answer.direction, answer.code) == (HOME_AGENT_TO_NODE, 0) and answer.signed(MOBILE_HOME)
    wait_until(lambda: served.counted("notificationsRelayed", "foreign-agent") == 4)


def at_home_agents(running):
    """Which home agents each node has a binding with."""
    found = collections.defaultdict(set)
    for row in running.rows("show", "bindings"):
        found[row["home_address"]].add(row["home_agent"])
    return found


def test_nodes_go_to_the_alternate_before_their_home_agent_shuts_down(lab):
    running = lab(nodes=8, words=["--home-agents", "2"])
    (row,) = running.rows(
        "notify", "ha-shutdown", "--home-agent", "127.0.0.1", "--alternate", "127.0.0.2", "--in", "20s", "--yes", "--wait")
    assert row["state"] == "done" and row["results"] == {"acknowledged": 4}, row
    wait_until(lambda: all("127.0.0.2" in agents for agents in at_home_agents(running).values()), seconds=60)
    said = [row["message"] for row in running.rows("show", "registrations") if row["message"]]
    assert len(said) >= 4 and all("alternate=127.0.0.2" in text for text in said), said


def test_mobile_nodes_are_told_to_notify(lab):
    running = lab(nodes=6, words=["--home-agents", "2", "--foreign-agents", "2"])
    # The rows of mobile nodes follow a moment after their replies.
    wait_until(lambda: len([row for row in running.rows("show", "registrations") if row["accepted"]]) == 6, what="all rows")
    words = ["notify", "message", "battery is low", "--from", "mobile-node", "--all", "--yes", "--wait", "--timeout", "60s"]
    (row,) = running.rows(*words, "--to", "home-agent")
    assert (row["state"], row["targets"], row["results"]) == ("done", 6, {"acknowledged": 6}), row
    homes = sorted(target["home_address"] for target in running.rows("show", "operation", str(row["id"])))
    assert homes == sorted({row["home_address"] for row in running.rows("show", "bindings")})
    for home in homes:
        wait_until(lambda: "notified: battery is low" in events(running, home), what=f"the trail of {home}")
    assert wait_until(lambda: running.counted("notificationsSent", "mobile-node") == 6)
    # The nodes of a lab have no associations with foreign agents: nothing is sent.
    (row,) = running.rows(*words, "--to", "foreign-agent", "--reason", "no key", expect=1)
    assert row["results"] == {"no-association": 6} and row["reason"] == "no key", row
    assert running.counted("notificationsSent", "mobile-node") == 6


def test_usage_of_notify_and_drain(lab):
    running = lab(nodes=2)
    for words, status in [
        (["notify", "message", "hello"], 2),
        (["notify", "message", "hello", "--all"], 2),
        (["notify", "message", "hello", "--all", "--limit", "1"], 5),
        (["notify", "message", "x" * 255, "--all", "--yes"], 5),
        (["notify", "message", "", "--all", "--yes"], 5),
        (["notify", "message", "hello", "--nai", "nobody@*", "--yes"], 4),
        (["notify", "message", "hello", "--all", "--yes", "--to", "home-agent"], 2),
        (["notify", "ha-shutdown", "--yes"], 2),
        (["notify", "ha-shutdown", "--all", "--yes", "--alternate", "here"], 2),
        (["drain", "home-agent", "127.0.0.77", "--yes"], 4),
        (["drain", "home-agent", "127.0.0.1"], 2),
        (["drain", "home-agent", "127.0.0.1", "--alternate", "127.0.0.1", "--yes"], 2),
        (["undrain", "home-agent", "127.0.0.1"], 4),
        (["undrain", "home-agent"], 2),
        (["notify", "message", "hello", "--all", "--yes", "--from", "mobile-node", "--to", "mobile-node"], 2),
        (["drain", "home-agent", "127.0.0.1", "--by", "0s", "--yes"], 2),
    ]:
        running.ctl(*words, expect=status)
    assert running.rows("show", "operations") == []


def drain(running, nodes, by):
    """Drains the first home agent, watching all the while; returns the operation and the longest gaps after its end."""
    cycle = 16  # A request and its repetitions after 1, 2, 4 and 8 s, and a moment.
    homes = set(at_home_agents(running))
    assert len(homes) == nodes
    done = {}

    def follow():
        process = subprocess.run(
            [MIP4CTL, "--store", f"unix:{running.directory}/store.sock", "drain", "home-agent", "127.0.0.1",
             "--alternate", "127.0.0.2", "--by", f"{by}s", "--yes", "--wait"], capture_output=True, text=True)
        done["status"], done["said"] = process.returncode, process.stderr

    thread = threading.Thread(target=follow)
    started = time.monotonic()
    thread.start()
    wait_until(lambda: "draining" in {row["state"] for row in running.rows("show", "status")}, what="`draining`")
    seen = {home: time.monotonic() for home in homes}
    gaps = collections.Counter()
    while thread.is_alive() or time.monotonic() < started + by + cycle + 1:
        now = time.monotonic()
        for home in at_home_agents(running):
            seen[home] = now
        if now > started + by:
            for home in homes:
                gaps[home] = max(gaps[home], now - max(seen[home], started + by))
        time.sleep(0.25)
    thread.join()
    assert max(gaps.values()) <= cycle, gaps.most_common(5)
    return done, homes


def adds_up(running, done, drained):
    """The report: every target has one result, and what is left over is what is still there."""
    (row,) = running.rows("show", "operations")
    assert row["action"] == "drain" and row["state"] == "done", row
    targets = running.rows("show", "operation", str(row["id"]))
    results = collections.Counter(target["result"] for target in targets)
    assert results == row["results"] and sum(results.values()) == row["targets"] == row["ended"] >= drained, row
    left = [binding for binding in running.rows("show", "bindings") if binding["home_agent"] == "127.0.0.1"]
    assert len(left) <= results["left-over"] + results["ambiguous"] + results["no-association"]
    failed = sum(count for word, count in results.items() if word not in ("acknowledged", "not-negotiated", "gone"))
    assert done["status"] == (1 if failed else 0), (done, results)
    return results


def test_a_drain_to_an_alternate_with_loss(lab):
    running = lab(nodes=60, words=["--home-agents", "2", "--foreign-agents", "3", "--loss", "5"])
    done, homes = drain(running, 60, by=16)
    results = adds_up(running, done, 30)
    assert results["acknowledged"] >= 25, results
    assert set(at_home_agents(running)) == homes
    # Nobody comes back to it.
    assert {agent for agents in at_home_agents(running).values() for agent in agents} == {"127.0.0.2"}


def test_soak_a_drain_of_a_thousand_nodes(lab):
    assert os.environ.get("MIP4_SOAK")
    running = lab(nodes=2000, words=["--home-agents", "2", "--foreign-agents", "3", "--loss", "5"])
    done, homes = drain(running, 2000, by=120)
    results = adds_up(running, done, 1000)
    print("drain of 1,000 nodes:", dict(results))
    assert set(at_home_agents(running)) == homes


def test_a_drain_that_is_cancelled(lab):
    running = lab(nodes=4)
    (row,) = running.rows("drain", "home-agent", "127.0.0.1", "--by", "10m", "--yes")
    number = str(row["id"])
    wait_until(lambda: "draining" in {row["state"] for row in running.rows("show", "status")}, what="`draining`")
    running.ctl("operation", "pause", number)
    wait_until(lambda: [row["state"] for row in running.rows("show", "operations")] == ["paused"])
    running.ctl("operation", "resume", number)
    running.ctl("operation", "cancel", number)
    running.ctl("wait", "operation", number, "--timeout", "60s", expect=1)
    (row,) = running.rows("show", "operations")
    assert row["state"] == "cancelled" and row["results"] == {"not-tried": 4}, row
    wait_until(lambda: "draining" not in {row["state"] for row in running.rows("show", "status")}, what="serving again")
    assert len(running.rows("show", "bindings")) == 4


def states(running):
    return {row["state"] for row in running.rows("show", "status")}


def test_a_drained_home_agent_comes_back_without_a_restart(served, node):
    served.ctl("undrain", "home-agent", "127.0.0.1", expect=4)
    assert node.register().code == 0
    (row,) = served.rows("drain", "home-agent", "127.0.0.1", "--by", "4s", "--yes")
    row = served.ended(row["id"])
    assert row["state"] == "done" and row["targets"] == 1, row
    # Done, and out of service: nobody is let in, whatever is tried with its operation but to cancel it.
    other = Peer(node.home_agent, OTHER_HOME)
    assert other.register().code == 129
    served.ctl("operation", "resume", str(row["id"]), expect=5)
    assert states(served) == {"draining"}
    served.ctl("undrain", "home-agent", "127.0.0.1")
    wait_until(lambda: states(served) == {"serving"}, what="serving again")
    reply = other.register()
    assert reply.code == 0 and reply.lifetime > 4, "a whole lifetime, not what a drain leaves"
    served.ctl("undrain", "home-agent", "127.0.0.1", expect=4)
    (row,) = served.rows("show", "operations")
    assert (row["state"], row["wish"]) == ("done", "cancel"), row
    assert "undrain" in [entry["verb"] for entry in served.rows("show", "audit")]
    # It stays so over a restart, and can be drained again.
    served.kill()
    served.start()
    assert states(served) == {"serving"}
    served.rows("drain", "home-agent", "127.0.0.1", "--by", "10m", "--yes")
    wait_until(lambda: states(served) == {"draining"}, what="`draining`")
    served.ctl("undrain", "home-agent", "127.0.0.1")
    wait_until(lambda: states(served) == {"serving"}, what="serving again")


def test_a_drain_goes_on_after_kill_9(served, node):
    (row,) = served.rows("drain", "home-agent", "127.0.0.1", "--alternate", "127.0.0.2", "--by", "15s", "--yes")
    message, source = node.receive()
    assert message.texts()[0][1].startswith("ha-shutdown in=1") and message.texts()[0][1].endswith("alternate=127.0.0.2")
    node.answer(message, source)
    served.kill()
    served.start()
    wait_until(lambda: "draining" in {row["state"] for row in served.rows("show", "status")}, what="`draining`")
    # Those who are there renew, for what is left; new ones are refused, and hear where to go.
    reply = node.register()
    assert reply.code == 0 and 0 < reply.lifetime <= 15
    other = Peer(node.home_agent, OTHER_HOME)
    reply = other.register()
    assert reply.code == 129 and reply.is_authentic()
    texts = [body[1:].decode() for kind, body in reply.extensions() if kind == 145]
    assert texts[0].startswith("ha-shutdown in=") and texts[0].endswith("alternate=127.0.0.2")
    row = served.ended(row["id"])
    assert row["state"] == "done" and sum(row["results"].values()) == row["targets"] == 1, row
    assert served.rows("show", "bindings") == []
    assert other.register().code == 129
