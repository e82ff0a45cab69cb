"""A real etcd cluster on loopback, which wants to see certificates."""

import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import urllib.request

import pytest

from harness import free_port, wait_until


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def make_authority(folder, name="authority"):
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")


def make_certificate(folder, name, authority="authority"):
    """For 127.0.0.1, to serve and to ask with."""
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.csr")
    (folder / f"{name}.ext").write_text("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n")
    openssl(folder, "x509", "-req", "-days", "2", "-in", f"{name}.csr", "-CA", f"{authority}.pem",
            "-CAkey", f"{authority}.key", "-CAcreateserial", "-extfile", f"{name}.ext", "-out", f"{name}.pem")


class Cluster:
    """Three members, each a process."""

    def __init__(self, folder, size=3):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        make_authority(self.folder)
        for name in ("server", "client"):
            make_certificate(self.folder, name)
        self.ports = [(free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)) for _ in range(size)]
        self.members = [None] * size
        for position in range(size):
            self.run(position)
        wait_until(lambda: self.leader() is not None, seconds=60, what="a leader")

    @property
    def endpoints(self):
        return [f"https://127.0.0.1:{client}" for client, _ in self.ports]

    def run(self, position):
        client, peer = self.ports[position]
        peers = ",".join(f"m{other}=http://127.0.0.1:{port}" for other, (_, port) in enumerate(self.ports))
        self.members[position] = subprocess.Popen(
            ["etcd", "--name", f"m{position}", "--data-dir", str(self.folder / f"m{position}"),
             "--listen-client-urls", f"https://127.0.0.1:{client}", "--advertise-client-urls", f"https://127.0.0.1:{client}",
             "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
             "--initial-cluster", peers, "--heartbeat-interval", "100", "--election-timeout", "1000", "--log-level", "error",
             "--client-cert-auth", "--trusted-ca-file", "authority.pem", "--cert-file", "server.pem", "--key-file", "server.key"],
            cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )

    def kill(self, position):
        member, self.members[position] = self.members[position], None
        if member:
            member.send_signal(signal.SIGKILL)
            member.wait()

    def etcdctl(self, *words, at=None):
        """Asks one member, or all of them."""
        endpoints = self.endpoints if at is None else [self.endpoints[at]]
        return subprocess.run(
            ["etcdctl", "--endpoints", ",".join(endpoints), "--cacert", "authority.pem", "--cert", "client.pem",
             "--key", "client.key", *words],
            cwd=self.folder, capture_output=True, text=True, errors="replace", timeout=60, env={**os.environ, "ETCDCTL_API": "3"},
        )

    def status(self):
        """(own number, leader's number) of each member that answers."""
        found = {}
        for position, member in enumerate(self.members):
            done = member and self.etcdctl("endpoint", "status", "-w", "json", at=position)
            if done and done.returncode == 0:
                status = json.loads(done.stdout)[0]["Status"]
                found[position] = (status["header"]["member_id"], status.get("leader"))
        return found

    def leader(self):
        return next((at for at, (own, leader) in self.status().items() if own == leader), None)

    def move_leader(self):
        """Makes another member the leader; returns which."""
        def moved():
            leader = self.leader()
            others = [(at, own) for at, (own, _) in self.status().items() if at != leader]
            if leader is None or not others:
                return None
            done = self.etcdctl("move-leader", f"{others[0][1]:x}", at=leader)
            return done.returncode == 0
        return wait_until(moved, seconds=60, what="another leader")

    def raise_alarm(self, kind):
        """As a member does that has no room left."""
        member = next(own for own, _ in self.status().values())
        context = ssl.create_default_context(cafile=self.folder / "authority.pem")
        context.load_cert_chain(self.folder / "client.pem", self.folder / "client.key")
        body = json.dumps({"action": "ACTIVATE", "memberID": str(member), "alarm": kind}).encode()
        request = urllib.request.Request(f"{self.endpoints[0]}/v3/maintenance/alarm", data=body)
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            assert kind in answer.read().decode()

    def rows(self, table):
        """The rows of a table, as the cluster has them."""
        done = self.etcdctl("get", "--prefix", f"/mip4/{table}/", "--print-value-only")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line]

    def stop(self):
        for position in range(len(self.members)):
            self.kill(position)


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path / "cluster")
    yield made
    made.stop()
