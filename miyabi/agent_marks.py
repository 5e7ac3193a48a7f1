"""The marks by which the lines of an agent's screen are told from each other. Pure."""

from __future__ import annotations

import re

from miyabi.masking import plain

# What of a line is looked at.
LONGEST = 500

FRAME = re.compile(r"\s*[╭╰┌└├╞]?[─━═╌┄▔▁—▪\s]*[─━═╌┄▔▁—]{3}(?P<label>[^─━═╌┄▔▁—]{0,60})[─━═╌┄▔▁—]*[▪\s─]*[╮╯┐┘┤╡]?\s*")
TOP = re.compile(r"\s*[╭┌][─━]{2}")
BOTTOM = re.compile(r"\s*[╰└][─━]{2}.*[╯┘]\s*")
SIDES = re.compile(r"\s*[│┃](?P<inner>.*)[│┃]\s*")
FENCE = re.compile(r"\s*(?:```|~~~)(?P<language>\S?)")
PROMPT = re.compile(r"\s{0,2}[❯>›](?:\s|$)")  # noqa: RUF001 - the prompts of agents
MODE = re.compile(r"\s{0,2}[!#&](?:\s|$)")
SHELL = re.compile(r"\s{0,2}!\s")
OUTPUT = re.compile(r"\s{0,8}[⎿└](?:\s|$)")
QUOTE = re.compile(r"\s*(?:[│┃|▌▏┆]|\d+\s*[-+│|]\s|\d+[→:]\s|[-+]{1,3}\s|@@ |[-+]{3}$)")
# What a program says as it begins, in a box or beside its picture.
GREETING = re.compile(r"(?![⏺●•❯›>⎿└])[^A-Za-z\n]{0,40}(?:Claude Code v\d|Welcome to Claude Code|OpenAI Codex \(v\d)")  # noqa: RUF001
BULLET = re.compile(r"(?P<bullet>[⏺●•◦■▪⚠✗✘✖✓✔×※])\s{0,3}(?=\S)")  # noqa: RUF001 - marks of agents
# What a heading that tells of work ends with: its clock, and how to stop it.
CLOCK = re.compile(r"[•◦∙·⠁-⣿]\s{1,3}\S.{0,100}\((?:\d{1,4}\s?[dhms]\s?){1,4}[•·∙]")
HEADING = re.compile(
    r"\s{0,2}(?:[•◦]\s)?[^\W\d_][^()\"“`]{0,100}\((?:\d{1,4}\s?[dhms]\s?){1,4}[•·∙] ?(?i:esc) to interrupt\)"
)
# What waits to be done, or to be said: it stands below the line that tells of work, and may be long.
LISTED = re.compile(r"\s*(?:⎿\s{0,3})?[☐☒☑◼◻□▢✔↳]\s")
SPOKEN = frozenset("⏺●•◦")
SPINNER = re.compile(r"\s{0,1}[✢✳✶✻✽✦✧✷✸✹✺∗·*◐-◓⠁-⣿]\s{1,3}\S")  # noqa: RUF001 - they turn
CALL = re.compile(
    r"[⏺●•◦]\s{0,3}(?:[A-Z][\w.:-]{0,40}(?: [\w.:-]{1,40}){0,6}\((?!\d)|[\w.:-]{1,60} - [\w.:-]{1,60} \(MCP\)"
    r"|(?:Ran|Running|Explored|Exploring|Edited|Added|Deleted|Called|Calling|Read|Viewed|Searched|Updated Plan) )"
)
OPTION = re.compile(r"\s*(?P<pointer>[❯>›▶→]\s{0,3})?(?P<number>\d{1,2})[.)]\s?\S")  # noqa: RUF001 - prompts
HINT = re.compile(
    r"\W{0,6}(?:press )?(?:enter|return|esc(?:ape)?|tab|space|↑|↓|y/n).{0,60}"
    r"\b(?:confirm|cancel|select|continue|submit|navigate|amend|go back|exit|accept|choose|dismiss|toggle|explain)\b",
    re.IGNORECASE,
)
CHOSEN = re.compile(r"\s*[❯›▶→]\s{1,3}(?:\d[.)]\s?)?(?:Yes|No|Allow)\b.{0,60}")  # noqa: RUF001 - prompts
POINTED = re.compile(r"\s*[❯›▶→]\s{1,3}\S")  # noqa: RUF001 - prompts


def clean(line: str) -> str:
    """A line of a screen without escape sequences, blanks at its end, and what is beyond all measure."""
    return plain(line[: 4 * LONGEST]).replace("\xa0", " ").expandtabs(4).rstrip()[:LONGEST]
