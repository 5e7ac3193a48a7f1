"""The host keys in a console's output: of every system, amid noise, cut off, and never anybody else's."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given, strategies as st

from miyabi.console_keys import ConsoleKeys, fingerprint, host_key, keys_in_console
from tests.ec2.keys import NOISE, Made, console, made


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, ...]:
    folder = tmp_path_factory.mktemp("keys")
    return (
        made(folder, "rsa", 3072),
        made(folder, "ecdsa", 256),
        made(folder, "ecdsa", 384),
        made(folder, "ecdsa", 521),
        made(folder, "ed25519"),
    )


# Ubuntu and Debian; Amazon Linux; util-linux's logger beside the priority; systemd's and the kernel's own way.
PREFIXES = (
    "",
    "ec2: ",
    "<14>Nov 21 04:12:00 ec2: ",
    "<14>Nov 21 04:12:00 cloud-init: ",
    "[   21.402310] cloud-init[1384]: ",
    "ci-info: ",
)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_keys_that_cloud_init_prints(keys: tuple[Made, ...], prefix: str) -> None:
    found = keys_in_console(console(*keys, prefix=prefix))
    assert {each.base64 for each in found.keys} == {each.key.base64 for each in keys}
    assert [each.kind for each in found.keys] == [
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "ssh-rsa",
    ]
    assert found.fingerprints == {each.fingerprint for each in keys} == {each.fingerprint for each in found.keys}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_fingerprints_alone(keys: tuple[Made, ...], prefix: str) -> None:
    found = keys_in_console(console(*keys, prefix=prefix, whole=False))
    assert found == ConsoleKeys((), frozenset(each.fingerprint for each in keys))


def test_what_ssh_keygen_says_while_it_makes_the_host_s_keys(keys: tuple[Made, ...]) -> None:
    def generated(file: str, key: Made) -> str:
        return (
            f"Generating public/private key pair.\nYour identification has been saved in {file}\n"
            f"Your public key has been saved in {file}.pub\nThe key fingerprint is:\n{key.fingerprint} root@ip\n"
        )

    output = generated("/etc/ssh/ssh_host_rsa_key", keys[0]) + generated("/home/kaede/.ssh/id_ed25519", keys[1])
    assert keys_in_console(output).fingerprints == {keys[0].fingerprint}
    again = generated("/etc/ssh/ssh_host_rsa_key", keys[0]) + generated("/etc/ssh/ssh_host_rsa_key", keys[2])
    assert keys_in_console(again).fingerprints == {keys[2].fingerprint}


def test_keys_elsewhere_are_no_host_s(keys: tuple[Made, ...]) -> None:
    elsewhere = "\n".join([*NOISE, *(key.line for key in keys), *(key.listed for key in keys)])
    assert keys_in_console(elsewhere) == ConsoleKeys()


def test_the_last_block_counts(keys: tuple[Made, ...]) -> None:
    # What user data print comes before what cloud-init prints; another boot comes after it.
    found = keys_in_console(console(keys[0]) + console(keys[1]))
    assert found == ConsoleKeys((keys[1].key,), frozenset({keys[1].fingerprint}))


@pytest.mark.parametrize(
    "text", ["", "\0\r\n\x1b[", "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"]
)
def test_nothing_in_it(text: str) -> None:
    assert keys_in_console(text) == ConsoleKeys()


def test_wherever_it_is_cut_off_no_other_key_comes_out(keys: tuple[Made, ...]) -> None:
    output = console(keys[0], keys[4])
    good = {keys[0].key, keys[4].key}
    for at in range(0, len(output), 7):
        assert set(keys_in_console(output[:at]).keys) <= good
        assert set(keys_in_console(output[at:]).keys) <= good


def test_what_is_no_key(keys: tuple[Made, ...]) -> None:
    ed25519, rsa = keys[4].key, keys[0].key
    assert host_key("ssh-rsa", ed25519.base64) is None
    assert host_key("ssh-ed25519", rsa.base64) is None
    assert host_key("ecdsa-sha2-nistp384", keys[1].key.base64) is None
    assert host_key("ssh-ed25519", ed25519.base64[:-8]) is None
    assert host_key("ssh-ed25519", "not base64") is None
    short = b"".join(len(part).to_bytes(4) + part for part in (b"ssh-rsa", b"\x01\0\x01", b"\x7f" * 64))
    assert host_key("ssh-rsa", b64encode(short).decode()) is None


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    assert keys_in_console(f"-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 {text}\n{text}") == ConsoleKeys()


def test_fingerprints_as_people_give_them(keys: tuple[Made, ...]) -> None:
    wanted = keys[4].fingerprint
    for text in (wanted, wanted.removeprefix("SHA256:"), keys[4].listed, f"{wanted}="):
        assert fingerprint(text) == wanted
    for text in ("", "SHA256:", "MD5:aa:bb", wanted[:-1], f"{wanted} {keys[0].fingerprint}"):
        assert fingerprint(text) is None
