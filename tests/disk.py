"""A small disk of its own for one test: ext4 in a file, which can be filled, and break."""

import errno
import os
import pathlib
import subprocess

import pytest


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


class SmallDisk:
    """Mounted at `path`; a fault makes it read-only, as a failing disk does."""

    def __init__(self, folder, megabytes):
        self.image = pathlib.Path(folder) / "image"
        self.path = pathlib.Path(folder) / "mounted"
        self.ballast = self.path / "ballast"
        self.path.mkdir(parents=True)
        with self.image.open("wb") as image:
            image.truncate(megabytes << 20)
        run("mkfs.ext4", "-q", "-F", "-m", "0", str(self.image))
        self.mount()

    def mount(self):
        # A device of its own each time: what has files open keeps the one before, and its fault.
        device = run("losetup", "--find", "--show", str(self.image))
        run("mount", "-o", "errors=remount-ro", device, str(self.path))
        # It goes when nobody has it mounted any more.
        run("losetup", "--detach", device)

    def fill(self):
        """Leaves no room at all."""
        with self.ballast.open("ab", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError as error:
                    assert error.errno == errno.ENOSPC, error
            os.fsync(file.fileno())

    def make_room(self):
        self.ballast.unlink()

    def break_down(self):
        """The file system meets a fault and goes read-only under whoever has files open."""
        device = pathlib.Path(run("findmnt", "-no", "SOURCE", str(self.path))).name
        pathlib.Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("test")

    def mend(self):
        """What an administrator does: take it away, check it, mount it at the same place."""
        run("umount", "-l", str(self.path))
        # 1: faults were found, and mended.
        assert subprocess.run(["e2fsck", "-fp", str(self.image)], capture_output=True).returncode in (0, 1)
        self.mount()

    def close(self):
        subprocess.run(["umount", "-l", str(self.path)], capture_output=True)


@pytest.fixture
def small_disk(tmp_path):
    """A function that makes a disk; all of them are unmounted at the end."""
    if os.geteuid() != 0:
        assert os.environ.get("MIP4_ALLOW_MISSING_NETNS"), "only root can mount a small disk"
        pytest.skip("only root can mount a small disk")
    disks = []

    def make(megabytes=8):
        disks.append(SmallDisk(tmp_path / f"disk{len(disks)}", megabytes))
        return disks[-1]

    yield make
    for disk in disks:
        disk.close()
