"""A region is changed while its nodes register and renew: nobody loses its binding (RFC 4857)."""

import collections
import json
import signal
import subprocess
import threading
import time

import summary
from harness import MIP4CTL, wait_until
from region import HOME_AGENT, configure, key_of, start_region, visitors
from region_load import Bindings, Load, LoadNode
from regional_node import GFA_IP_ADDRESS, RegionalNode, packed
from test_shell import Shell

FIRST_GATEWAY, SECOND_GATEWAY = "127.0.0.9", "127.0.0.10"
MOVED, STAYS = "127.0.0.11", "127.0.0.12"
ANY_GATEWAY = "10.99.250.1"


class Watch(threading.Thread):
    """`mip4ctl watch bindings`: every change in its order, not only what a look happens to see."""

    def __init__(self, served):
        super().__init__(daemon=True)
        self.child = subprocess.Popen(
            [MIP4CTL, "--store", f"unix:{served.directory}/store.sock", "-o", "json", "watch", "bindings", "--initial"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        self.events = []
        self.start()

    def run(self):
        for line in self.child.stdout:
            self.events.append(json.loads(line))

    def stop(self):
        self.child.send_signal(signal.SIGINT)
        self.child.wait(timeout=30)
        self.join()

    def lost(self):
        """Nodes that had a binding before some revision and none after it."""
        bound, lost = collections.defaultdict(set), []
        revisions = {}
        for event in self.events:
            revisions.setdefault(event["revision"], []).append(event)
        for revision in sorted(revisions):
            for event in revisions[revision]:
                home, care_of = event["home_address"], event["care_of_address"]
                (bound[home].discard if event["event"] == "removed" else bound[home].add)(care_of)
            lost += [(revision, event["home_address"]) for event in revisions[revision] if not bound[event["home_address"]]]
        return lost


def homes(count):
    return [f"10.99.{number // 200}.{number % 200 + 1}" for number in range(count)]


def nodes_of(count, share):
    """`count` nodes, of which a part of `share` is at the foreign agent that will be moved."""
    nodes = []
    for number, home in enumerate(homes(count)):
        source = f"127.1.{number // 200}.{number % 200 + 1}"
        is_moved = number < count * share
        gateways = [FIRST_GATEWAY, SECOND_GATEWAY] if is_moved else [SECOND_GATEWAY, FIRST_GATEWAY]
        nodes.append(LoadNode(home, source, MOVED if is_moved else STAYS, gateways))
    return nodes


def bound_at(served):
    """How many bindings each care-of address has."""
    return collections.Counter(row["care_of_address"] for row in served.rows("show", "bindings"))


def all_live(served):
    """On a busy machine a heartbeat may be late, and then a commit is refused."""
    wait_until(lambda: all(row["freshness"] == "live" for row in served.rows("show", "status")), seconds=120, what="all daemons to be live")


def by_script(served, tmp_path, gateway):
    """Moves the foreign agent by a file of commands; what was printed about the commit."""
    all_live(served)
    script = tmp_path / f"to-{gateway}.mip4"
    script.write_text(f"regional set foreign-agent {MOVED} --gateway {gateway}\nregional commit --reason 'by script'\n")
    printed = served.ctl("-o", "json", "-f", str(script))
    (commit,) = [line["commit"] for line in map(json.loads, printed.splitlines()) if "commit" in line]
    return commit


def by_shell(served, tmp_path, *lines):
    """Types commands into the interactive shell; what it said to the last of them."""
    all_live(served)
    shell = Shell(store=f"unix:{served.directory}/store.sock", state=tmp_path, columns=200)
    try:
        shell.expect("store.sock> ", seconds=60)
        said = [shell.run(line) for line in lines]
        shell.type("exit\r")
        assert shell.wait() == 0
    finally:
        shell.close()
    return said[-1]


def all_at(served, expected, seconds=120):
    """Waits until the bindings are spread like that; how long it took."""
    start = time.monotonic()
    wait_until(lambda: bound_at(served) == expected, seconds=seconds, what=f"bindings at {dict(expected)}")
    return time.monotonic() - start


def judged(load, watch, bindings, count):
    assert bindings.samples > 5 and bindings.lost == [], bindings.lost[:3]
    assert len(watch.events) > count and watch.lost() == [], watch.lost()[:3]
    # Told to go elsewhere, and nothing else.
    assert set(load.codes) <= {0, 77, 112}, load.codes
    assert all(node.renewals > 3 for node in load.nodes)


def a_region_that_is_changed(daemon, tmp_path, count, period):
    share = 2 / 3
    nodes = nodes_of(count, share)
    moved = sum(node.agent == MOVED for node in nodes)
    served = start_region(daemon, [(FIRST_GATEWAY, MOVED), (SECOND_GATEWAY, STAYS)], [*homes(count), ANY_GATEWAY])
    configure(served, {MOVED: FIRST_GATEWAY, STAYS: SECOND_GATEWAY})
    load = Load(nodes, served.port, period=period)
    load.start()
    before, after = {FIRST_GATEWAY: moved, SECOND_GATEWAY: count - moved}, {SECOND_GATEWAY: count}
    all_at(served, before)
    watch, bindings = Watch(served), Bindings(served, homes(count))
    bindings.start()
    try:
        wait_until(lambda: bindings.samples > 1, what="a look at the bindings")
        taken, back = change_live(served, tmp_path, before, after, moved)
        wait_until(lambda: all(node.renewals > 3 for node in nodes), seconds=120, what="all of them to go on afterwards")
    finally:
        for one in (load, bindings, watch):
            one.stop()
    judged(load, watch, bindings, count)
    summary.say(
        f"region changed live: {count} nodes, {moved} of them moved in {taken:.1f} s and back in {back:.1f} s after the commit, "
        f"{bindings.samples} looks and {len(watch.events)} changes without a node unbound; "
        f"{sum(node.renewals for node in nodes)} registrations accepted, {served.counted('haRegRequestsReceived', 'home-agent')} "
        f"seen by the home agent; Codes {dict(load.codes)}, {load.unanswered} unanswered")


def change_live(served, tmp_path, before, after, moved):
    commit = by_script(served, tmp_path, SECOND_GATEWAY)
    assert commit["reason"] == "by script" and len(commit["applied"]) == 2, commit
    taken = all_at(served, after)
    # What they left behind is revoked: nobody is shown where it is not.
    wait_until(lambda: visitors(served, FIRST_GATEWAY) == [], seconds=60, what="no visitors at the first gateway")
    wait_until(lambda: len(visitors(served, MOVED)) == moved, what="all of them at their foreign agent")

    said = by_shell(served, tmp_path, f"regional set foreign-agent {MOVED} --gateway {FIRST_GATEWAY}", "regional commit")
    assert "1 agent changed" in said and "in force at" in said, said
    back = all_at(served, before)

    # Dynamic assignment, on and off, while all of them go on.
    any_gateway = RegionalNode((MOVED, served.port), ANY_GATEWAY, FIRST_GATEWAY, key_of("node"), source="127.0.0.60")
    said = by_shell(served, tmp_path, f"regional set gateway {FIRST_GATEWAY} --dynamic yes",
                    f"regional set foreign-agent {MOVED} --assignment dynamic", "regional commit")
    assert "2 agents changed" in said and "in force at" in said, said
    reply = any_gateway.register_at_home(HOME_AGENT, care_of="0.0.0.0")
    assert reply.code == 0 and dict(reply.extensions())[GFA_IP_ADDRESS][2:] == packed(FIRST_GATEWAY)
    said = by_shell(served, tmp_path, "regional rollback")
    assert "in force at" in said, said
    denied = wait_until(lambda: any_gateway.register_at_home(HOME_AGENT, care_of="0.0.0.0"), what="the denial")
    assert denied.code == 77
    assert any_gateway.register_regionally().code == 0, "who is registered stays"

    assert not [row for row in served.rows("show", "violations") if row["violator"] in (MOVED, STAYS)]
    return taken, back


def test_a_foreign_agent_changes_its_gateway_under_load_and_nobody_is_unbound(daemon, tmp_path):
    a_region_that_is_changed(daemon, tmp_path, count=60, period=0.5)


def test_what_nobody_confirms_is_taken_back_though_shell_and_daemons_are_killed(daemon, tmp_path):
    """The deadline passes while nothing runs; afterwards rows and daemons do as before the commit."""
    home = homes(1)[0]
    served = start_region(daemon, [(FIRST_GATEWAY, MOVED), (SECOND_GATEWAY, STAYS)], [home])
    configure(served, {MOVED: FIRST_GATEWAY, STAYS: SECOND_GATEWAY})
    (other,) = served.others
    node = RegionalNode((MOVED, served.port), home, FIRST_GATEWAY, key_of("node"), source="127.0.0.60")
    assert node.register_at_home(HOME_AGENT).code == 0

    shell = Shell(store=f"unix:{served.directory}/store.sock", state=tmp_path, columns=200)
    shell.expect("store.sock> ", seconds=60)
    shell.run(f"regional set foreign-agent {MOVED} --gateway {SECOND_GATEWAY}")
    assert "unless `regional confirm` keeps it" in shell.run("regional commit confirmed 4s")
    assert node.register_regionally().code == 112, "it is in force"
    shell.close()  # By SIGKILL, as the daemons.
    for one in (other, served):
        one.kill()
    time.sleep(4.2)
    served.start()
    other.start()
    rows = wait_until(lambda: (lambda it: it if len(it) == 3 else None)(served.rows("regional", "history", "--sort", "id")), what="the roll-back")
    assert [row["state"] for row in rows] == ["confirmed", "rolled back", "confirmed"] and rows[2]["who"].startswith("mip4d ")
    assert bound_at(served) == {FIRST_GATEWAY: 1}
    wait_until(lambda: (lambda it: it and it.code == 0)(node.register_regionally()), what="the first gateway to be known again")


def test_soak_hundreds_of_nodes_keep_their_bindings(daemon, tmp_path):
    a_region_that_is_changed(daemon, tmp_path, count=300, period=6.0)
