"""What the coding agents on a host show: their screens, since when these are the same, and their conversations."""

from __future__ import annotations

import binascii
import zlib
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from facts.agents_script import Asked, agents_script
from facts.probe import Section
from miyabi import spec
from miyabi.agent_kind import AgentKind, kind_of
from miyabi.agent_state import Agents
from miyabi.errors import ParseError

# The most bytes that an answer may have when it is unpacked.
_MOST = 64_000_000


def agents_section(wanted: spec.Spec, kinds: Mapping[str, AgentKind], *, marks: bool) -> Section[Agents]:
    """The section that looks at every pane of the spec that has an agent.

    + kinds: what is known of kinds of agents, by name
    + marks: whether the panes are marked with what was seen, so that the next look can tell since when it is so

    What looks like a secret is masked.
    """
    # Only a fleet with agents pays for it.
    from miyabi.conversation import REGISTER, file_name  # noqa: PLC0415

    asked = []
    for pane in agent_panes(wanted):
        kind = kind_of(pane, kinds)
        patterns = (kind.transcripts, kind.candidates) if kind else ("", "")
        asked.append(Asked(pane.name, f"{file_name(pane.name)}.session", pane.start_directory, *patterns))
    script = agents_script(asked, REGISTER, wanted.tmux.socket_name, marks=marks)
    parse = partial(_parse, [each.name for each in asked], [each.transcripts for each in asked])
    return Section("agents", script, parse)


def agent_panes(wanted: spec.Spec) -> Iterator[spec.Pane]:
    """The panes of a spec that have an agent, in its order."""
    for session in wanted.sessions:
        for window in session.windows:
            yield from (pane for pane in window.panes if pane.agent is not None)


def _parse(names: Sequence[str], transcripts: Sequence[str], lines: list[str]) -> Agents:
    from miyabi.agent_listing import parse_agents  # noqa: PLC0415 - as above

    if not lines:
        raise ParseError("nothing was told of the agents")
    packing, *body = lines
    try:
        packed = b64decode("".join(body), validate=True)
        text = zlib.decompressobj(31).decompress(packed, _MOST) if packing == "gzip" else packed
    except (binascii.Error, zlib.error) as error:
        raise ParseError(f"what it tells of the agents is cut off: {error}") from error
    return parse_agents(text.decode(errors="replace"), names, transcripts)
