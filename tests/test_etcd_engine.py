"""`mip4d run` on a real etcd cluster, which loses members and leaders, and all of itself."""

import json
import subprocess
import sys
import time

import pytest

from cluster import cluster  # noqa: F401
from harness import MIP4D, Daemon, wait_until
from node import KEY, Node
from test_associations import key_file
from test_crash import LOOP, acknowledged, homes

CONFIG = """
[store]
connect = "etcd:{endpoints}"
authority = "{folder}/authority.pem"
certificate = "{folder}/{certificate}.pem"
certificate-key = "{folder}/{certificate}.key"
key-file = "{directory}/secret.key"
[snmp]
listen = ["udp:127.0.0.1:{{snmp_port}}"]
state-file = "{directory}/snmp-engine.json"
[[snmp.community]]
name = "public"
[home-agent]
address = "127.0.0.1"
port = {{mip_port}}
max-lifetime = 1800
"""

# mip4ExtStoreState
HEALTHY, DEGRADED = "1", "2"


class OnCluster(Daemon):
    """A home agent whose store is a cluster."""

    def __init__(self, directory, cluster, certificate="client"):  # noqa: F811
        self.cluster = cluster
        super().__init__(
            directory,
            # More than a cluster takes in one transaction.
            associations=[
                {"peer": home, "spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()}
                for home in [*homes(), *(f"10.98.0.{number}" for number in range(100))]
            ],
        )
        text = CONFIG.format(
            endpoints=",".join(cluster.endpoints), folder=cluster.folder, certificate=certificate, directory=self.directory
        ).format(snmp_port=self.snmp_port, mip_port=self.mip_port)
        associations = self.config.read_text().partition("[[association]]")
        self.config.write_text(text + associations[1] + associations[2])

    def serving(self):
        assert self.alive(), self.errors
        return self.logged("serving", "instance=")

    def logged(self, *words):
        return any(all(word in line for word in words) for line in self.errors)


@pytest.fixture
def home_agent(tmp_path, cluster):  # noqa: F811
    made = OnCluster(tmp_path / "daemon", cluster)
    yield made
    made.stop()


def store_object(served, name):
    """What SNMP says about the store."""
    return served.snmp_value(f"MIP4-EXT-MIB::mip4ExtStore{name}.0")


def assert_kept(cluster, last):  # noqa: F811
    """Every acknowledged registration is in the cluster, or a later one of the same node."""
    rows = {row["home_address"]: row["identification"] for row in cluster.rows("bindings")}
    for home, (identification, _, _) in last.items():
        assert rows[home] >= identification, f"{home}: an acknowledged registration is gone"


def storm(home_agent, cluster, rounds):  # noqa: F811
    """Registers all the time while leaders move, members die, and all of the cluster is gone for a while."""
    home_agent.start()
    loop = subprocess.Popen(
        [sys.executable, LOOP, str(home_agent.mip_port), str(len(homes())), str(rounds * 9)], stdout=subprocess.PIPE, text=True
    )
    time.sleep(0.5)
    for round_ in range(rounds):
        cluster.move_leader()
        cluster.kill(round_ % 3)
        time.sleep(1)
        cluster.run(round_ % 3)
        time.sleep(1)
        for position in range(3):
            cluster.kill(position)
        time.sleep(0.5)
        for position in range(3):
            cluster.run(position)
        time.sleep(1)
    output, _ = loop.communicate(timeout=120)
    last = acknowledged(output)
    assert len(last) == len(homes())
    assert_kept(cluster, last)
    # One more registration, and the reader by SNMP sees what the cluster has.
    node = Node(("127.0.0.1", home_agent.mip_port), homes()[0])
    wait_until(lambda: (reply := node.register()) and reply.code == 0, what="a registration")
    assert len(home_agent.snmp("snmpwalk", "MIP-MIB::haMobilityBindingRegFlags")) == len(homes())
    assert home_agent.stop() == 0
    states = {row["name"]: row["state"] for row in cluster.rows("instances")}
    assert set(states.values()) == {"gone"}


def test_nothing_acknowledged_is_lost_while_leaders_move_and_members_die(home_agent, cluster):  # noqa: F811
    storm(home_agent, cluster, 1)


def test_soak_nothing_acknowledged_is_lost_while_leaders_move_and_members_die(home_agent, cluster):  # noqa: F811
    storm(home_agent, cluster, 10)


def test_a_cluster_that_stops_is_waited_for(home_agent, cluster):  # noqa: F811
    """Registrations are denied, SNMP shows the last revision, all goes on by itself."""
    home_agent.start()
    node = Node(("127.0.0.1", home_agent.mip_port), homes()[0])
    assert node.register().code == 0
    before = home_agent.snmp("snmpwalk", "MIP-MIB::haMobilityBindingRegFlags")
    for position in range(3):
        cluster.kill(position)
    denied = wait_until(lambda: (reply := node.register()) and reply.code, what="a denial")
    assert denied == 130
    wait_until(lambda: home_agent.logged("the store is out of reach; its last revision stays"), what="a line in the log")
    refused = "registrations are refused: the store does not take them"
    wait_until(lambda: home_agent.logged(refused), what="a line in the log")
    assert home_agent.snmp("snmpwalk", "MIP-MIB::haMobilityBindingRegFlags") == before
    # The last revision is served, with its age, which grows.
    revision, age = store_object(home_agent, "Revision"), int(store_object(home_agent, "Age"))
    wait_until(lambda: int(store_object(home_agent, "Age")) > age + 500, what="an older revision")
    assert store_object(home_agent, "Revision") == revision
    assert store_object(home_agent, "State") == DEGRADED
    assert "out of reach" in store_object(home_agent, "Detail")
    for position in range(3):
        cluster.run(position)
    wait_until(lambda: (reply := node.register()) and reply.code == 0, seconds=60, what="a registration")
    wait_until(lambda: home_agent.logged("the store is back"), what="a line in the log")
    wait_until(lambda: home_agent.logged("the store takes registrations again"), what="a line in the log")
    wait_until(lambda: store_object(home_agent, "State") == HEALTHY, what="health")
    assert int(store_object(home_agent, "Revision")) > int(revision)
    # Not a line for each of what failed meanwhile.
    assert sum("out of reach" in line for line in home_agent.errors) <= 3, home_agent.errors


def test_a_restarted_daemon_finds_bindings_and_keys_in_the_cluster(home_agent, cluster):  # noqa: F811
    home_agent.start()
    for home in homes()[:5]:
        assert Node(("127.0.0.1", home_agent.mip_port), home).register(lifetime=900).code == 0
    home_agent.kill()
    home_agent.start()
    wait_until(lambda: len(home_agent.snmp("snmpwalk", "MIP-MIB::haMobilityBindingRegFlags")) == 5, what="five bindings")
    listed = cluster.etcdctl("get", "--prefix", "")
    assert KEY.hex() not in listed.stdout and repr(KEY)[2:-1] not in listed.stdout


def test_a_cluster_without_room_denies_registrations_until_it_has_some(home_agent, cluster):  # noqa: F811
    """The alarm is raised by hand: it is the same whoever raises it."""
    home_agent.start()
    node = Node(("127.0.0.1", home_agent.mip_port), homes()[0])
    assert node.register().code == 0
    cluster.raise_alarm("NOSPACE")
    wait_until(lambda: (reply := node.register()) and reply.code == 130, what="a denial")
    wait_until(lambda: home_agent.logged("the store takes no commits", "full"), what="a line in the log")
    assert cluster.etcdctl("alarm", "disarm").returncode == 0
    wait_until(lambda: (reply := node.register()) and reply.code == 0, what="a registration")


def test_a_certificate_that_the_cluster_does_not_know_is_refused_in_words(tmp_path, cluster):  # noqa: F811
    from cluster import make_authority, make_certificate

    make_authority(cluster.folder, "stranger")
    make_certificate(cluster.folder, "impostor", "stranger")
    refused = OnCluster(tmp_path / "daemon", cluster, certificate="impostor")
    done = subprocess.run([MIP4D, "run", "--config", str(refused.config)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 3 and "cannot reach the store" in done.stderr, done
    assert "certificate" in done.stderr.lower(), done


def test_the_shell_reaches_the_cluster_with_certificates_of_its_own(home_agent, cluster):  # noqa: F811
    home_agent.start()
    assert Node(("127.0.0.1", home_agent.mip_port), homes()[0]).register(lifetime=900).code == 0
    url = "etcd:" + ",".join(cluster.endpoints)
    files = [
        "--store-authority", f"{cluster.folder}/authority.pem", "--store-certificate", f"{cluster.folder}/client.pem",
        "--store-certificate-key", f"{cluster.folder}/client.key", "--store-key-file", f"{home_agent.directory}/secret.key",
    ]

    def shown():
        printed = home_agent.ctl(*files, "-o", "json", "show", "bindings", store=url)
        return [row["home_address"] for row in json.loads(printed)["rows"]]

    wait_until(lambda: shown() == [homes()[0]], what="the binding")
    home_agent.ctl("show", "bindings", store=url, expect=3)
    home_agent.ctl(*files[:4], "show", "bindings", store=url, expect=2)
    words = ["association", "add", "10.97.0.1", "--spi", "2000", "--key-file", key_file(home_agent.directory, KEY)]
    home_agent.ctl(*files, *words, store=url)
    assert Node(("127.0.0.1", home_agent.mip_port), "10.97.0.1", spi=2000).register().code == 0
