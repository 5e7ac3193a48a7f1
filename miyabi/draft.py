"""What a human has half typed into a pane: behind the prompt of a shell, or in the composer of an agent. Pure.

A wrong "nothing" would type over what a human writes; a wrong draft would keep an empty shell from ever being used
again. So only prompts and composers that are known are believed.
"""
# ruff: noqa: RUF001 - prompts are made of characters that look like others

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from miyabi.screen_text import Cell, cells, end_of, text_of

_Rows = Sequence[list[Cell]]

# How many lines from the bottom a composer may begin; and one without a frame, which has but a status line below it.
_REACH, _REACH_UNFRAMED = 30, 5

# Prompts as of November 2026, the most peculiar first: what stands in front of the words that are typed.
_PROMPTS = tuple(
    re.compile(pattern)
    for pattern in (
        # oh-my-zsh's robbyrussell: ➜  repo git:(main) ✗
        r"➜\s+\S+(?:\s+git:\([^)]*\))?(?:\s+✗)?(?:\s|$)",
        # Powerline and agnoster end in an arrow of their own font.
        r".*[\ue0b0\ue0b4\ue0b8\ue0bc](?:\s|$)",
        # starship, pure, spaceship.
        r"\s*(?:\([\w.-]+\)\s)?[❯❮λ»➤▶→](?:\s|$)",
        # [kaede@mugen repo]$
        r"(?:\([\w.-]+\)\s)?\[[^\]]*\]\s?[$#%](?:\s|$)",
        # kaede@mugen:~/repo (main)$, kaede@mugen ~/repo>, kaede@mugen repo %
        r"(?:\([\w.-]+\)\s)?[\w.-]+@[\w.-]+[^$#%>❯]*[$#%>❯](?:\s|$)",
        # $, #, %, bash-5.2$, mugen%, ~/repo %, mugen:~/repo$
        r"(?:\([\w.-]+\)\s)?(?:[A-Za-z][\w.-]*|[~/][^\s$#%>]*|[\w.-]+:[~/][^$#%>]*)?\s?[$#%](?:\s|$)",
        # ~/repo> and a bare >
        r"(?:[~/][^\s$#%>]*)?>(?:\s|$)",
    )
)
# The prompt of a command's second line: >, dquote>, heredoc>, cmdsubst quote>.
_CONTINUED = re.compile(r"(?:[a-z]+ ){0,3}(?:[a-z]+)?> ?")
_SHELL_MARK = re.compile(r".*[$#%❯](?:\s|$)")

# The line above and below a composer, what stands in front of its words, and where its frame ends.
_RULE = re.compile(r"\s*[╭┌╰└▀▄]?[─━═╌▀▄-]{8,}.*")
_FIRST = re.compile(r"\s*(?:[│┃|]\s?)?[>❯›!](?:\s|$)")
_SIDE = re.compile(r"\s?(?:[│┃|]\s?)?\s{0,2}")
_FRAME_END = re.compile(r"\s*[│┃|]?\s*$")
_UNFRAMED, _BAR = re.compile(r"› ?"), re.compile(r"▌ ?")

# What an empty composer says, for where its colours do not tell.
_HINTS = re.compile(
    r'Try "|Ask (?:Codex|Claude|Gemini)\b|Type your message|Type (?:@|/)|Message (?:Claude|Codex)|Send a message'
)

# Behind the cursor, after so many spaces, a shell shows a prompt of its right side.
_RIGHT_PROMPT = re.compile(r"\s{4,}\S.*$")


def draft_in(lines: Sequence[str], cursor_x: int, cursor_y: int, width: int | None = None) -> str:
    """What is typed and not yet sent; "" when nothing is, or no prompt or composer that is known is there.

    + lines: the visible screen from its first line, with its colours (``capture-pane -p -e``): a hint is dim, a draft
      is not
    + cursor_x, cursor_y: where the cursor is, from 0
    + width: of the screen; without it a command that is longer than its line is not known to be one

    .. code:: python

        draft_in(["kaede@mugen:~/repo$ git comm"], 28, 0)  # "git comm"
    """
    rows = [cells(line) for line in lines]
    composer = _composer(rows)
    return _typed(rows, cursor_x, cursor_y, width) if composer is None else _in_composer(composer)


def _composer(rows: _Rows) -> list[list[Cell]] | None:
    """The words of the lowest composer, without what stands in front of them; None when there is no composer."""
    texts = [text_of(row) for row in rows]
    filled = [number for number, text in enumerate(texts) if text]
    for number in reversed(filled[-_REACH:]):
        above = texts[number - 1] if number else ""
        if _FIRST.match(texts[number]) and _RULE.fullmatch(above):
            end = next((each for each in filled if each > number and _RULE.fullmatch(texts[each])), None)
            if end is not None:
                return [_without(_FIRST, rows[number]), *(_without(_SIDE, row) for row in rows[number + 1 : end])]
    for number in reversed(filled[-_REACH_UNFRAMED:]):
        if _UNFRAMED.match(texts[number]):
            end = next((each for each in range(number, len(rows)) if not texts[each]), len(rows))
            return [_without(_UNFRAMED, rows[number]), *(_without(_SIDE, row) for row in rows[number + 1 : end])]
        if _BAR.match(texts[number]):
            first = next((each + 1 for each in range(number, -1, -1) if not _BAR.match(texts[each])), 0)
            return [_without(_BAR, row) for row in rows[first : number + 1]]
    return None


def _without(front: re.Pattern[str], row: list[Cell]) -> list[Cell]:
    """The cells behind what ``front`` fits, without the right side of a frame."""
    text = "".join(cell.character for cell in row)
    begin = front.match(text)
    end = _FRAME_END.search(text)
    return row[begin.end() if begin else 0 : end.start() if end else None]


def _in_composer(rows: Iterable[list[Cell]]) -> str:
    text = "\n".join(text_of(_without_hint(row)) for row in rows).strip()
    return "" if _HINTS.match(text) else text


def _without_hint(row: list[Cell]) -> list[Cell]:
    """The cells that are no hint; the cursor that a program draws itself may stand on a hint's first character."""
    after = [*row[1:], None][: len(row)]
    return [
        cell
        for cell, following in zip(row, after, strict=True)
        if not cell.faint and not (cell.inverse and following is not None and following.faint)
    ]


def _typed(rows: _Rows, cursor_x: int, cursor_y: int, width: int | None) -> str:
    """What stands behind the shell's prompt in the cursor's line, which may be the last of several."""
    if not 0 <= cursor_y < len(rows):
        return ""
    last = _shown_by(rows[cursor_y], cursor_x)
    continued = _continued(rows, cursor_y, last)
    if continued is not None:
        return continued
    prompt = _prompt(text_of(rows[cursor_y]))
    if prompt is not None:
        return text_of(last[prompt:]).strip() if cursor_x >= prompt else ""
    return _wrapped(rows, cursor_y, last, width) if width else ""


def _shown_by(row: list[Cell], cursor_x: int) -> list[Cell]:
    """A line without what a shell only suggests behind the cursor, and without a prompt of its right side."""
    before = [cell for cell in row if cell.x < cursor_x]
    behind = [cell for cell in row if cell.x >= cursor_x and not cell.faint]
    kept = _RIGHT_PROMPT.sub("", "".join(cell.character for cell in behind))
    return before + behind[: len(kept)]


def _prompt(text: str) -> int | None:
    """How many characters of a line are a prompt; None when it has none that is known."""
    found = (pattern.match(text) for pattern in _PROMPTS)
    return next((each.end() for each in found if each), None)


def _continued(rows: _Rows, cursor_y: int, last: list[Cell]) -> str | None:
    """A command of several lines that is not complete; None when the cursor's line does not continue one."""
    parts = [text_of(last)]
    number = cursor_y
    while number and (mark := _CONTINUED.match(parts[-1])):
        parts[-1] = parts[-1][mark.end() :]
        number -= 1
        parts.append(text_of(rows[number]))
    if number == cursor_y:
        return None
    prompt = _prompt(parts[-1])
    if prompt is None or not _SHELL_MARK.match(parts[-1][:prompt]) or not parts[-1][prompt:].strip():
        return None
    return "\n".join([parts[-1][prompt:], *reversed(parts[:-1])]).strip()


def _wrapped(rows: _Rows, cursor_y: int, last: list[Cell], width: int) -> str:
    """A command that is longer than its lines; "" when the lines above do not begin with a prompt and run full."""
    number = cursor_y
    parts = [text_of(last)]
    while number and end_of(rows[number - 1]) >= width - 1:
        number -= 1
        text = text_of(rows[number])
        prompt = _prompt(text)
        if prompt is not None:
            return "".join([text[prompt:], *reversed(parts)]).strip()
        parts.append(text)
    return ""
