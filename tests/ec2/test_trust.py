"""Host keys are trusted per instance, from its console or by a human, and never because somebody answers."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from miyabi.console_keys import HostKey
from miyabi.ec2_hosts import untrusted
from miyabi.errors import InventoryError
from miyabi.host_trust import BY_HAND, CONSOLE, Trust, forget, is_due, known_hosts_for, learn_keys, read_ring, trust
from miyabi.offered_keys import offered_keys
from tests.ec2.instances import instance
from tests.ec2.keys import Made, console, made, told
from tests.fleet.sshd import SshHost

ONE, TWO = instance(1, "web"), instance(2, "db")


@dataclass
class Prints:
    """A console that prints something, and has printed something soon after its boot."""

    output: str = ""
    at_boot: str = ""
    asked: list[str] = field(default_factory=list)

    def console_output(self, instance_id: str, *, latest: bool = True) -> str:
        """What the instance has printed."""
        self.asked.append(instance_id)
        return self.output if latest else self.at_boot


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where trust is kept in this test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "miyabi" / "ec2"


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Made, Made]:
    (tmp_path / "keys").mkdir()
    return made(tmp_path / "keys"), made(tmp_path / "keys", "ecdsa", 256)


def test_nothing_is_trusted_at_first(folder: Path) -> None:
    path = known_hosts_for(ONE.instance_id, "192.0.2.1", 22)
    assert path.read_text() == ""
    assert read_ring().of(ONE.instance_id) == Trust()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for each in (path.parent, folder, folder.parent):
        assert stat.S_IMODE(each.stat().st_mode) == 0o700


def test_keys_are_learned_from_the_console(keys: tuple[Made, Made], folder: Path) -> None:
    printed = Prints(console(*keys))
    assert learn_keys(printed, ONE, 100.0) is None
    assert read_ring().of(ONE.instance_id) == Trust(ONE.region, tuple(each.key for each in keys), CONSOLE, 100.0)
    assert stat.S_IMODE((folder / "host_keys.json").stat().st_mode) == 0o600
    # What is trusted stays: the console is not asked again, and cannot change it.
    printed.output = console(keys[1])
    assert learn_keys(printed, ONE, 200.0) is None
    assert printed.asked == [ONE.instance_id]
    assert read_ring().of(TWO.instance_id) == Trust()


def test_a_file_for_each_instance_and_address(keys: tuple[Made, Made]) -> None:
    trust(ONE.instance_id, ONE.region, (keys[0].key,), CONSOLE, 1.0)
    trust(TWO.instance_id, TWO.region, (keys[1].key,), CONSOLE, 1.0)
    first = known_hosts_for(ONE.instance_id, "192.0.2.1", 22)
    other = known_hosts_for(TWO.instance_id, "192.0.2.1", 22)
    moved = known_hosts_for(ONE.instance_id, "2001:db8::7", 2222)
    assert len({first, other, moved}) == 3
    kind, base64 = keys[0].key.kind, keys[0].key.base64
    assert first.read_text() == f"192.0.2.1 {kind} {base64}\n"
    assert moved.read_text() == f"[2001:db8::7]:2222 {kind} {base64}\n"
    assert base64 not in other.read_text()
    assert known_hosts_for(ONE.instance_id, "192.0.2.1", 22) == first


def test_what_was_tampered_with_is_written_anew(keys: tuple[Made, Made]) -> None:
    trust(ONE.instance_id, ONE.region, (keys[0].key,), CONSOLE, 1.0)
    path = known_hosts_for(ONE.instance_id, "192.0.2.1", 22)
    good = path.read_text()
    path.write_text(good.replace(keys[0].key.base64, keys[1].key.base64))
    assert known_hosts_for(ONE.instance_id, "192.0.2.1", 22).read_text() == good
    path.chmod(0o666)
    assert known_hosts_for(ONE.instance_id, "192.0.2.1", 22) == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_old_files_go(keys: tuple[Made, Made]) -> None:
    trust(ONE.instance_id, ONE.region, (keys[0].key,), CONSOLE, 1.0)
    paths = [known_hosts_for(ONE.instance_id, f"192.0.2.{number}", 22) for number in range(1, 4)]
    assert all(path.exists() for path in paths)
    os.utime(paths[0], (time.time() - 7200,) * 2)
    other = known_hosts_for(TWO.instance_id, "192.0.2.1", 22)
    os.utime(other, (time.time() - 86400,) * 2)
    # Another run may be about to read the newer one; what is in use is never old.
    assert known_hosts_for(ONE.instance_id, "192.0.2.4", 22).exists()
    assert [path.exists() for path in (*paths, other)] == [False, True, True, True]
    os.utime(other, (time.time() - 40 * 86400,) * 2)
    os.utime(paths[2], (time.time() - 7200,) * 2)
    assert known_hosts_for(ONE.instance_id, "192.0.2.3", 22) == paths[2]
    assert known_hosts_for(ONE.instance_id, "192.0.2.5", 22).exists()
    assert [path.exists() for path in (*paths, other)] == [False, True, True, False]


def test_fingerprints_alone_need_an_sshd_that_has_such_a_key(keys: tuple[Made, Made], ssh_host: SshHost) -> None:
    public = told(ssh_host.machine.root / "host_key.pub")

    def offers(wanted: Collection[str] = ()) -> tuple[HostKey, ...]:
        return offered_keys("127.0.0.1", ssh_host.port, "", wanted)

    assert offers() == offers({public.fingerprint}) == (public.key,)
    stranger = learn_keys(Prints(console(keys[0], whole=False)), ONE, 1.0, offers)
    assert stranger == "what answers at its address shows another host key than its console output"
    assert learn_keys(Prints(console(keys[0], whole=False)), ONE, 1.0, lambda _: ()) is not None
    assert not read_ring().of(ONE.instance_id).keys
    assert learn_keys(Prints(console(keys[0], public, whole=False)), ONE, 2.0, offers) is None
    assert read_ring().of(ONE.instance_id).keys == (public.key,)


def test_nobody_offers_keys_where_nobody_is(ssh_host: SshHost) -> None:
    ssh_host.stop_sshd()
    assert offered_keys("127.0.0.1", ssh_host.port) == ()


def test_an_empty_console_is_no_trust_and_is_asked_again_later(folder: Path) -> None:
    printed = Prints("nothing of the kind")
    old = replace(ONE, launched_at=0.0)
    assert is_due(read_ring().of(ONE.instance_id), old, 5000.0)
    why = learn_keys(printed, old, 5000.0)
    assert why == "its console output shows no host key yet"
    known = read_ring().of(ONE.instance_id)
    assert (known.keys, known.looked_at, known.found) == ((), 5000.0, why)
    assert "miyabi ec2 trust web SHA256:..." in untrusted("web", old, why)
    assert [is_due(known, old, now) for now in (5000.0, 5599.0, 5600.0)] == [False, False, True]
    # A new instance prints its keys within minutes; a clock that was set back holds nobody up.
    new = replace(ONE, launched_at=4900.0)
    assert [is_due(known, new, now) for now in (5059.0, 5060.0)] == [False, True]
    assert is_due(known, old, 4000.0)
    assert known_hosts_for(ONE.instance_id, "192.0.2.1", 22).read_text() == ""


def test_a_console_that_went_on_talking(keys: tuple[Made, Made]) -> None:
    printed = Prints("kernel: much\n" * 9, at_boot=console(keys[0]))
    assert learn_keys(printed, ONE, 2.0) is None
    assert read_ring().of(ONE.instance_id).keys == (keys[0].key,)


def test_trust_is_taken_back(keys: tuple[Made, Made]) -> None:
    trust(ONE.instance_id, ONE.region, (keys[0].key,), BY_HAND, 1.0)
    assert forget(ONE.instance_id) is True
    assert forget(ONE.instance_id) is False
    assert known_hosts_for(ONE.instance_id, "192.0.2.1", 22).read_text() == ""
    assert learn_keys(Prints(console(keys[1])), ONE, 2.0) is None
    assert read_ring().of(ONE.instance_id).keys == (keys[1].key,)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"instances": {"i-1": {"keys": [["ssh-ed25519", "AAAA"]]}}}', "\0"])
def test_a_ring_that_makes_no_sense_is_no_trust_and_is_not_overwritten(
    folder: Path, text: str, keys: tuple[Made, Made]
) -> None:
    known_hosts_for(ONE.instance_id, "192.0.2.1", 22)
    (folder / "host_keys.json").write_text(text)
    ring = read_ring()
    assert not ring.trusted
    assert "no host key is trusted, the file cannot be used" in ring.trouble
    assert "\n" not in ring.trouble
    with pytest.raises(InventoryError, match="repair or remove it"):
        trust(ONE.instance_id, ONE.region, (keys[0].key,), BY_HAND, 1.0)
    assert (folder / "host_keys.json").read_text() == text
    assert known_hosts_for(ONE.instance_id, "192.0.2.1", 22).read_text() == ""


def test_a_ring_that_others_may_write_is_no_trust(folder: Path, keys: tuple[Made, Made]) -> None:
    trust(ONE.instance_id, ONE.region, (keys[0].key,), BY_HAND, 1.0)
    (folder / "host_keys.json").chmod(0o666)
    assert "others may write it" in read_ring().trouble
    assert known_hosts_for(ONE.instance_id, "192.0.2.1", 22).read_text() == ""


def test_what_cannot_be_kept_is_said(tmp_path: Path, keys: tuple[Made, Made]) -> None:
    (tmp_path / "state").write_text("no folder")
    with pytest.raises(InventoryError, match="host keys cannot be kept"):
        trust(ONE.instance_id, ONE.region, (keys[0].key,), BY_HAND, 1.0)
    with pytest.raises(InventoryError, match="host keys cannot be kept"):
        known_hosts_for(ONE.instance_id, "192.0.2.1", 22)


def test_many_at_once_lose_nothing(keys: tuple[Made, Made]) -> None:
    ids = [f"i-{number:017x}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda each: trust(each, "r", (keys[0].key,), CONSOLE, 1.0), ids))
    assert set(read_ring().trusted) == set(ids)
