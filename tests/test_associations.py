"""Associations that come and go by `mip4ctl` while the home agent serves."""

import json

from harness import wait_until
from node import KEY, Node

HOME = "10.99.5.7"


def key_file(folder, key):
    file = folder / "key"
    file.write_text(f"hex:{key.hex()}\n")
    file.chmod(0o600)
    return str(file)


def test_an_association_is_added_rolled_and_deleted(daemon, tmp_path):
    served = daemon(associations=[]).start()
    node = Node(("127.0.0.1", served.mip_port), HOME)
    node.socket.settimeout(0.5)
    served.ctl("association", "add", HOME, "--spi", "1000", "--key-file", key_file(tmp_path, KEY))
    reply = wait_until(node.register, what="a reply under the new association")
    assert reply.code == 0 and reply.is_authentic()

    other_key = bytes(reversed(KEY))
    served.ctl("association", "roll", HOME, "--spi", "1000", "--new-spi", "1001",
               "--key-file", key_file(tmp_path, other_key))
    rolled = Node(("127.0.0.1", served.mip_port), HOME, spi=1001, key=other_key)
    rolled.socket.settimeout(0.5)
    wait_until(lambda: (answer := rolled.register()) and answer.code == 0, what="the rolled key to work")
    assert node.register().code == 0, "the old key works until it is deleted"
    rolled.register()

    def used():
        rows = {row["spi"]: row["last_used_at"] for row in served.rows("association", "list")}
        return rows if all(rows.values()) else None

    used = wait_until(used, what="the last use of both")
    assert used[1001] >= used[1000]

    served.ctl("association", "delete", HOME, "--spi", "1000")
    wait_until(lambda: (answer := node.register()) is None or answer.code == 131, what="the old key to fail")
    assert rolled.register().code == 0

    exported = served.ctl("export")
    for secret in (KEY.hex(), other_key.hex()):
        assert secret not in exported
    assert [row["spi"] for row in served.rows("show", "associations")] == [1001]


def test_an_export_makes_the_same_configuration_elsewhere(daemon, tmp_path):
    first, second = daemon(associations=[]).start(), daemon(associations=[]).start()
    first.ctl("association", "add", "truck@fleet.example", "--spi", "2000", "--tolerance", "3",
              "--key-file", key_file(tmp_path, KEY))
    export = tmp_path / "export.jsonl"
    export.write_text(first.ctl("export"))
    second.ctl("import", str(export))
    assert second.rows("show", "associations") == first.rows("show", "associations")
    refused = json.loads(second.ctl("-o", "json", "import", str(export), expect=5))
    assert refused["error"]["kind"] == "refused"


def test_keys_travel_sealed_with_a_passphrase(daemon, tmp_path):
    first, second = daemon(associations=[]).start(), daemon(associations=[]).start()
    first.ctl("association", "add", HOME, "--spi", "1000", "--key-file", key_file(tmp_path, KEY))
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse battery\n")
    passphrase.chmod(0o600)
    sealed = first.ctl("export", "--secrets", "--passphrase-file", str(passphrase))
    assert KEY.hex() not in sealed and "argon2id" in sealed
    export = tmp_path / "export.jsonl"
    export.write_text(sealed)
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong horse battery\n")
    wrong.chmod(0o600)
    second.ctl("import", str(export), "--passphrase-file", str(wrong), expect=5)
    assert second.rows("show", "associations") == []
    second.ctl("import", str(export), "--passphrase-file", str(passphrase))
    node = Node(("127.0.0.1", second.mip_port), HOME)
    reply = node.register()
    assert reply.code == 0 and reply.is_authentic(), "the key came along, and is in use when the command ends"
    bare = [line for line in sealed.splitlines() if "/mip4/associations/" not in line]
    export.write_text("\n".join(bare) + "\n")
    second.ctl("import", "--exact", str(export), "--passphrase-file", str(passphrase))
    assert second.rows("show", "associations") == []
