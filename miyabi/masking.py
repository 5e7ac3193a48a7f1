"""Text without what looks like a secret. Pure.

The patterns are data: a wrong guess costs a masked word, a missed one a secret in a file, so they are generous.
"""

from __future__ import annotations

import re
from functools import cache

MASK = "********"

# Where a word begins: a long run of characters must not be tried from each of its characters again.
_WORD = r"(?<![A-Za-z0-9_-])"
_NAMES = r"(?:password|passwd|passphrase|secret|token|(?:api|access|private)[_-]?key|credentials?)"
# Of each of these names, a word that is in it.
_NAMED = "passw passphrase secret token key credential"
# Most lines with one of these words, such as those that count tokens, have nothing of the kind behind it.
_NAMED_VALUE = rf"{_NAMES}(?:_[^\s=:]{{1,80}}|\d{{0,4}})[\"']?[=:]|(?:{_NAMES}|auth)[= \t]"
# What is masked already stays as it is.
_VALUE = r"(?!\*{8})(?P<secret>'[^'\n]*'|\"[^\"\n]*\"|[^\s'\"]+)"

# As of November 2026. In each, the group `secret` is what gets masked; what stands around it stays readable. No line
# without one of its words, in whatever case, is tried: most lines have none, and trying all costs a hundred times more.
# One line is looked at after the other.
PATTERNS: tuple[tuple[str, str], ...] = (
    # Keys by which services recognise their own: OpenAI and Anthropic, GitHub, GitLab, Slack, AWS, Google,
    # Hugging Face, npm, Stripe, DigitalOcean, PyPI, Telegram bots, JSON Web Tokens.
    ("sk-", _WORD + r"(?P<secret>sk-[A-Za-z0-9_-]{16,})"),
    ("gho_ ghp_ ghu_ ghs_ ghr_ github_pat_", _WORD + r"(?P<secret>(?:gh[opusr]_|github_pat_)[A-Za-z0-9_]{16,})"),
    ("glpat- glptt- gldt- glrt-", _WORD + r"(?P<secret>gl(?:pat|ptt|dt|rt)-[A-Za-z0-9_-]{16,})"),
    ("xox", _WORD + r"(?P<secret>xox[a-z]-[A-Za-z0-9-]{10,})"),
    ("akia asia", _WORD + r"(?P<secret>(?:AKIA|ASIA)[A-Z0-9]{16})\b"),
    ("aiza", _WORD + r"(?P<secret>AIza[A-Za-z0-9_-]{30,})"),
    ("ya29.", _WORD + r"(?P<secret>ya29\.[A-Za-z0-9_-]{16,})"),
    (
        "hf_ npm_ dop_v1_ k_live_ k_test_",
        _WORD + r"(?P<secret>(?:hf|npm|dop_v1|[rsp]k_(?:live|test))_[A-Za-z0-9]{16,})",
    ),
    ("pypi-", _WORD + r"(?P<secret>pypi-[A-Za-z0-9_-]{32,})"),
    (":aa", _WORD + r"(?P<secret>\d{8,10}:AA[A-Za-z0-9_-]{30,})"),
    ("eyj", _WORD + r"(?P<secret>eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)?)"),
    # Authorization: Bearer X, and the like.
    (
        "authorization",
        (
            r"(?i:authorization[\"']?[ \t]{0,8}[:=][ \t]{0,8}[\"']?(?:(?:bearer|basic|token|digest) )?)"
            r"(?!(?i:(?:bearer|basic|token|digest) )?\*{8})(?P<secret>[^\s\"',;]+)"
        ),
    ),
    ("bearer", _WORD + r"(?i:bearer[ \t]{1,8})(?P<secret>[A-Za-z0-9._~+/=-]{8,})"),
    ("cookie", r"(?i:cookie[ \t]{0,8}:[ \t]{0,8})(?!\*{8})(?P<secret>[^\s\"'][^\r\n\"']*)"),
    # --token X, --token=X.
    (
        f"{_NAMED} auth",
        rf"(?i:(?:(?<=[\s'\"=(])|\A)--?[a-z0-9_-]{{0,40}}?(?:{_NAMES}|auth)(?:=|[ \t]{{1,8}}))(?!-){_VALUE}",
    ),
    # PASSWORD=..., "api_key": "...", password: ....
    (_NAMED, rf"(?i:{_NAMES}(?:_[a-z0-9_]{{1,40}}|\d{{0,4}})[\"']?(?:=|:[ \t]{{0,8}})){_VALUE}"),
    # https://user:password@host.
    ("://", r"://[^\s/@:]{1,200}:(?P<secret>[^\s/@]{1,1000})@"),
)
# The one that takes several lines.
_KEY = r"(?P<secret>-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z))"

_NAMING = frozenset([*_NAMED.split(), "auth"])
_WORDS = tuple(dict.fromkeys(word for words, _ in PATTERNS for word in words.split()))


def masked(text: str) -> str:
    """The text with what looks like a secret replaced by stars.

    + text: may be long; it is not changed when it holds nothing of the kind

    .. code:: python

        masked("curl -H 'Authorization: Bearer abc123' --token xyz")
        # "curl -H 'Authorization: Bearer ********' --token ********"
    """
    if "PRIVATE KEY-----" in text:
        text = _compiled(_KEY).sub(_hidden, text)
    folded = text.casefold()
    words = [word for word in _WORDS if word in folded]
    if not words:
        return text
    return "\n".join(_masked_line(line, words) for line in text.split("\n"))


def _masked_line(line: str, words: list[str]) -> str:
    """A line without secrets.

    + words: those of the patterns' that are anywhere in the text
    """
    folded = line.casefold()
    there = {word for word in words if word in folded}
    if not there.isdisjoint(_NAMING) and not _compiled(_NAMED_VALUE).search(folded):
        there -= _NAMING
    if there:
        for asked, pattern in PATTERNS:
            if not there.isdisjoint(asked.split()):
                line = _compiled(pattern).sub(_hidden, line)
    return line


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """The pattern, compiled when it is needed: all of them together take longer than a run that changes nothing may."""
    return re.compile(pattern, re.DOTALL)


def _hidden(found: re.Match[str]) -> str:
    start, end = found.span("secret")
    begin = found.start()
    return found[0][: start - begin] + MASK + found[0][end - begin :]


# Everything that a terminal would act on: C0 without tab and newline, DEL, C1; and what turns the reading direction.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])", re.DOTALL)


def plain(text: str) -> str:
    """The text without escape sequences and other characters that a terminal would act on; tab and newline stay."""
    return _CONTROL.sub("", _SEQUENCE.sub("", text))


def shown(text: str) -> str:
    r"""The text on one line, safe for a terminal: what is not printable becomes an escape such as ``\x1b``."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
