"""The interactive shell of `mip4ctl`, in a real terminal."""

import os
import pty
import re
import select
import signal
import struct
import fcntl
import termios
import time

import pytest

from harness import MIP4CTL

NOWHERE = "unix:/nonexistent/mip4/store.sock"


class Shell:
    """A `mip4ctl` whose terminal is ours."""

    def __init__(self, *words, store=NOWHERE, state, columns=100):
        self.octets = b""
        self.seen = 0
        self.screen = ""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            environment = {**os.environ, "XDG_STATE_HOME": str(state), "TERM": "xterm", "MIP4_STORE": store}
            os.execve(MIP4CTL, [MIP4CTL, *words], environment)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.status = None

    def read(self, seconds):
        """Reads what is printed within `seconds`; whether there was any."""
        if not select.select([self.terminal], [], [], seconds)[0]:
            return False
        try:
            octets = os.read(self.terminal, 65536)
        except OSError:  # The other side is closed.
            return False
        self.octets += octets
        plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.octets.decode(errors="replace"))
        self.screen = plain.replace("\r\n", "\n")[self.seen :]
        return bool(octets)

    def expect(self, text, seconds=20):
        """Reads until `text` is printed; returns what came before it, and forgets both."""
        deadline = time.monotonic() + seconds
        while text not in self.screen:
            remaining = deadline - time.monotonic()
            assert remaining > 0, f"no {text!r} in {self.screen!r}"
            if not self.read(remaining) and text not in self.screen:
                raise AssertionError(f"no {text!r} in {self.screen!r}")
        before, _, rest = self.screen.partition(text)
        self.forget(len(self.screen) - len(rest))
        return before

    def forget(self, characters):
        self.seen += characters
        self.screen = self.screen[characters:]

    def interrupt(self):
        """Presses Ctrl-C and waits until nothing more is drawn: what is typed ahead of it is lost."""
        self.type("\x03")
        while self.read(0.5):
            pass
        self.forget(len(self.screen))

    def expect_line(self, line):
        """Reads until `line` stands there and has been entered."""
        self.expect(f"{line}\n")

    def type(self, text):
        os.write(self.terminal, text.encode())

    def run(self, line):
        """Types `line` and returns what is printed until the next prompt."""
        self.type(line + "\r")
        self.expect_line(line)
        return self.expect("store.sock> ")

    def wait(self, seconds=20):
        """The exit status, once the shell has ended."""
        deadline = time.monotonic() + seconds
        while self.status is None:
            assert time.monotonic() < deadline, f"still there: {self.screen!r}"
            self.read(0.05)
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.terminal)


@pytest.fixture
def shell(tmp_path):
    """A function that starts a shell and waits for its first prompt."""
    shells = []

    def start(*words, **options):
        shells.append(Shell(*words, **{"state": tmp_path / "state", **options}))
        shells[-1].expect("store.sock> ")
        return shells[-1]

    yield start
    for started in shells:
        started.close()


def test_exit_and_control_d_leave(shell):
    leaving = shell()
    leaving.type("exit\r")
    assert leaving.wait() == 0
    leaving = shell()
    leaving.type("\x04")
    assert leaving.wait() == 0


def test_control_c_drops_the_line_and_nothing_else(shell):
    running = shell()
    running.type("show nonsense")
    running.interrupt()
    assert "unknown command" not in running.run("help")
    running.type("exit\r")
    assert running.wait() == 0


def test_errors_do_not_end_the_shell(shell):
    running = shell()
    assert "unknown command `nonsense`" in running.run("show nonsense")
    assert "cannot reach the store" in running.run("show bindings")
    assert "does not end" in running.run("show bindings --nai 'open")


def test_tab_completes_verbs_nouns_and_options(shell):
    running = shell()
    running.type("sho\tbi\t--home-ad\t")
    running.expect("show bindings --home-address ")
    running.interrupt()
    running.type("show sta\t")
    running.expect("status")
    running.expect("statistics")


def test_a_question_mark_tells_what_can_follow_and_keeps_the_line(shell):
    running = shell()
    running.type("show ?")
    running.expect("Show the mobility bindings of home agents")
    running.expect("store.sock> show ")
    running.type("nonsense\r")
    running.expect("unknown command `nonsense`")


def test_help_and_unique_abbreviations(shell):
    running = shell()
    assert "association" in running.run("help")
    assert "--care-of" in running.run("help show bindings")
    assert "cannot reach the store" in running.run("sh bi --home-ad 10.0.0.1")
    assert "did you mean" in running.run("show sta")


def test_history_outlives_the_shell_and_is_private(shell, tmp_path):
    first = shell()
    first.run("show nonsense --nai first")
    first.type("exit\r")
    assert first.wait() == 0
    history = tmp_path / "state" / "mip4ctl" / "history"
    assert "show nonsense --nai first" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0
    second = shell()
    second.type("\x1b[A\x1b[A")
    second.expect("show nonsense --nai first")


def test_a_typed_key_is_never_shown_nor_kept(shell, tmp_path, lab):
    running = shell(store=f"unix:{lab(nodes=1).directory}/store.sock")
    running.type("association add 10.98.0.1 --spi 4000\r")
    running.expect("Key: ")
    running.type("ascii:geheimnis\r")
    assert "geheim" not in running.expect("added `10.98.0.1`, SPI 4000")
    running.expect("store.sock> ")
    listed = running.run("show associations --home-address 10.98.0.1")
    assert "4000" in listed and "geheim" not in listed
    running.type("exit\r")
    assert running.wait() == 0
    assert "geheim" not in (tmp_path / "state" / "mip4ctl" / "history").read_text()


def test_live_addresses_complete(shell, lab):
    served = lab(nodes=3)
    address = served.rows("show", "bindings")[0]["home_address"]
    running = shell(store=f"unix:{served.directory}/store.sock")
    running.type(f"show bindings --home-address {address[:-1]}\t")
    running.expect(address)
    running.interrupt()
    table = running.run("show bindings")
    assert address in table and "CARE-OF" in table and "│" in table
    assert all(len(line) <= 100 for line in table.splitlines())


def test_control_c_ends_a_command_and_not_the_shell(shell, lab):
    running = shell(store=f"unix:{lab(nodes=1).directory}/store.sock")
    running.type("wait binding --home-address 10.250.0.1 --timeout 10m\r")
    running.expect("\n")
    time.sleep(1)
    running.type("\x03")
    running.expect("interrupted")
    running.expect("store.sock> ")
    assert "10.250.0.1" not in running.run("show status")


# Operations, asked for at a terminal.


@pytest.fixture
def busy_lab(lab, shell):
    """A lab with eight nodes at two home agents, and a function that starts a shell on it."""
    running = lab(nodes=8, words=["--home-agents", "2"])
    return running, lambda: shell(store=f"unix:{running.directory}/store.sock")


def test_revoking_many_is_asked_first(busy_lab):
    running, start = busy_lab
    typing = start()
    typing.type("revoke binding --all\r")
    typing.expect("would revoke 8 bindings of 2 home agents; go on? [y/N] ")
    typing.type("n\r")
    assert "not confirmed; nothing was done" in typing.expect("store.sock> ")
    typing.type("revoke binding --all\r")
    typing.expect("go on? [y/N] ")
    typing.type("\r")
    assert "not confirmed" in typing.expect("store.sock> ")
    assert running.rows("show", "operations") == []
    typing.type("revoke binding --nai '*@lab.example' --wait\r")
    typing.expect("would revoke 4 bindings of 1 home agent; go on? [y/N] ")
    typing.type("y\r")
    typing.expect("operation 1: revoke 4 bindings of 1 home agent; follow it with `wait operation 1`")
    shown = typing.expect("store.sock> ", seconds=60)
    assert re.search(r"revoke-bindings\W+done\W+4\W+4\W+0\W", shown), shown
    (row,) = running.rows("show", "operations")
    assert row["state"] == "done"


def test_control_c_at_the_question_does_nothing(busy_lab):
    running, start = busy_lab
    typing = start()
    typing.type("revoke binding --all\r")
    typing.expect("go on? [y/N] ")
    typing.type("\x03")
    typing.expect("store.sock> ")
    assert "there is no operation" in typing.run("show operation 1")
    assert len(running.rows("show", "bindings")) == 8


@pytest.mark.parametrize("asked", [False, True], ids=["told", "asked"])
def test_progress_is_shown_and_control_c_leaves_the_operation_running(busy_lab, asked):
    running, start = busy_lab
    typing = start()
    yes = "" if asked else " --yes"
    typing.type(f"revoke binding --all --rate 1/s{yes} --wait --reason 'window of maintenance'\r")
    if asked:
        typing.expect("go on? [y/N] ")
        typing.type("y\r")
    # A bar that moves: some of eight, and not all of them.
    typing.expect("/8 ", seconds=30)
    while not re.search(r"[1-7]/8 ", typing.screen):
        assert typing.read(30), typing.screen
    typing.type("\x03")
    typing.expect("operation 1 goes on: follow it with `wait operation 1`, end it with `operation cancel 1`", seconds=30)
    typing.expect("store.sock> ")
    (row,) = running.rows("show", "operations")
    assert row["state"] == "running" and row["ended"] < 8, row
    typing.type("operation cancel 1\r")
    typing.expect("operation 1 is to be cancelled")
    typing.expect("store.sock> ")
    typing.type("wait operation 1\r")
    assert "operation 1 was cancelled" in typing.expect("store.sock> ", seconds=60)
    (row,) = running.rows("show", "operations")
    assert row["state"] == "cancelled" and row["reason"] == "window of maintenance", row
    assert 0 < row["results"]["not-tried"] < 8 and sum(row["results"].values()) == 8, row


def test_a_limit_takes_the_place_of_the_question(busy_lab):
    running, start = busy_lab
    typing = start()
    assert "8 bindings match, more than the limit of 7" in typing.run("revoke binding --all --limit 7")
    assert running.rows("show", "operations") == []
    assert "operation 1: revoke 8 bindings of 2 home agents" in typing.run("revoke binding --all --limit 8 --rate 1/s")
    typing.run("operation cancel 1")
