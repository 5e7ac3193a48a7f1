"""What looks like a secret is masked, what does not is not, and nothing steers a terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from miyabi.masking import MASK, PATTERNS, masked, plain, shown

# Made up, in the forms of the real ones.
_RUN = "q8Zr2Lw5Tn9Xc4Vb7Km1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("curl -H 'Authorization: Bearer abc.def' https://x", f"curl -H 'Authorization: Bearer {MASK}' https://x"),
        ("authorization=Basic Zm9vOmJhcg==", f"authorization=Basic {MASK}"),
        ("tool --token abc run", f"tool --token {MASK} run"),
        ("tool --api-key='a b' run", f"tool --api-key={MASK} run"),
        ("tool --db-password=x", f"tool --db-password={MASK}"),
        ("PASSWORD=hunter2 ./run", f"PASSWORD={MASK} ./run"),
        ("export GITHUB_TOKEN=abc", f"export GITHUB_TOKEN={MASK}"),
        ('{"api_key": "abc", "port": 1}', f'{{"api_key": {MASK}, "port": 1}}'),
        ("db_password: hunter2", f"db_password: {MASK}"),
        ("git clone https://me:abc@host/x", f"git clone https://me:{MASK}@host/x"),
        (f"sk-{_RUN}", MASK),
        (f"key sk-ant-api03-{_RUN} end", f"key {MASK} end"),
        (f"ghp_{_RUN}", MASK),
        (f"glpat-{_RUN}", MASK),
        (f"xoxb-{_RUN}", MASK),
        ("AKIA" + "Q8ZR2LW5TN9XC4VB", MASK),
        (f"eyJhbGciOiJ.eyJzdWIiOiI.{_RUN}", MASK),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nend", f"{MASK}\nend"),
        ("-----BEGIN PRIVATE KEY-----\ncut off", MASK),
    ],
)
def test_secrets_are_masked(text: str, expected: str) -> None:
    assert masked(text) == expected
    assert masked(masked(text)) == expected


_PIECES = (
    "sk- abcdefghijklmnop0123 ghp_ github_pat_ glpat- xoxb- AKIA ABCDEFGHIJ123456 AIza ya29. hf_ npm_ sk_live_ "
    "rk_test_ pypi- 12345678:AA eyJ . ' \" = : Authorization Bearer basic Cookie -- token TOKEN Api_Key apiKEY "
    "private-key PASSWORD passwd passphrase Secret credential auth _x1 :// user @ host / ******** , ; ( 7"
)


@given(st.lists(st.sampled_from([*_PIECES.split(), " ", "\n", "\t"]), max_size=14).map("".join))
def test_no_pattern_is_left_out_for_want_of_its_words(text: str) -> None:
    expected = []
    for line in text.split("\n"):
        for _, pattern in PATTERNS:
            line = re.sub(pattern, lambda it: it[0].replace(it["secret"], MASK), line)  # noqa: PLW2901
        expected.append(line)
    assert (masked(text) == text) == ("\n".join(expected) == text)


@pytest.mark.parametrize(
    "text",
    [
        "tail -F /var/log/auth.log",
        "max_tokens: 4096",
        "vim tokenizer.py",
        "ssh -p 22 host",
        "claude --no-token --verbose",
        "https://host:443/path",
        "key: value",
        "secretary of state",
        "",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert masked(text) == text


@pytest.mark.timeout(60)
def test_a_long_text_is_read_in_one_go() -> None:
    pieces = [
        "a",
        "a-",
        "-",
        " -a",
        "token",
        "--token ",
        "eyJ",
        "eyJ-",
        "eyJaaaaaaaa.",
        "://",
        "://a:",
        "'",
        '"',
        "sk-",
    ]
    pieces += [
        "password ",
        "authorization ",
        "authorization: ",
        "cookie:",
        "-----BEGIN ",
        "bearer ",
        "\x1b]",
        "\x1b[",
        " ",
    ]
    for piece in pieces:
        text = piece * (200_000 // len(piece))
        masked(text)
        plain(text)


def test_nothing_steers_a_terminal() -> None:
    text = "\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b]52;c;abc\x1b\\bell\x07 \x9b1m "
    text += "\x1b(B\rback\tTab\nline \u202eturned \x1bc"
    assert plain(text) == "red bell 1m back\tTab\nline turned "
    assert shown("a\x1b[31m\nb\ud800é日") == "a\\x1b[31m\\nb\\ud800é日"
