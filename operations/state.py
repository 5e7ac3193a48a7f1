"""The state that an orchestration keeps in a workspace: healed, kept, put back, cleaned up, begun anew."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

from pyinfra import host, logger
from pyinfra.api import FunctionCommand

from facts.observation import forget
from facts.workspace import WORKSPACE
from miyabi.host_paths import names_in_words, refuse_path
from miyabi.orchestration.rules import Orchestration
from operations.gate import operation, permission
from operations.upkeep import failing, findings, note, warn
from operations.workspace_look import look_at

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

    from miyabi.gate_types import Does
    from miyabi.orchestration.analysis import SessionReport
    from miyabi.orchestration.workspace import SeenFile, SeenWorkspace
    from miyabi.state_material import Decide
    from miyabi.state_repair import Settled

Action = Literal["restore", "repair", "replay", "clean", "reset"]

# How often it is decided again within a run on a file that another program writes; the next run goes on.
_TRIES = 4

# What a human asks for is no try of the gate's, and waits for no backoff; a pause holds it all the same.
_ASKED: Does = "tidy"


def subject_of(rules: Orchestration) -> str:
    """What findings about a workspace are called."""
    return f"orchestration {rules.workspace}"


@operation()
def healed(rules: Orchestration) -> Generator[PyinfraCommand]:
    """Ensure that the sessions of a workspace hold what they should: what is sick is repaired, and nothing is lost.

    + rules: the workspace, and what is wanted of it

    Each session goes through the decision tree of docs/state-recovery.md. A session that another program writes
    meanwhile is left as that wrote it, and decided anew; one whose lock a running program holds is told and left to it.
    A valid state that has changed is kept as a backup, as often
    as the rules say. Stale sessions are told and never removed; what is taken out of a state is in an archive first.

    **Example:**

    .. code:: python

        from miyabi.orchestration.rules import Orchestration
        from operations import state

        state.healed(name="Orchestration", rules=Orchestration("~/repos/miyabi", backups=10))
    """
    # Whoever imports this module needs none of it yet.
    from miyabi.orchestration.report_words import in_words, sick  # noqa: PLC0415

    subject = subject_of(rules)
    looked = look_at(host, rules)
    if isinstance(looked, str):
        yield from failing(host, subject, looked)
        return
    seen, reports = looked
    _tell(subject, reports, rules)
    held = {each.name for each in seen.locks if each.holder == "alive"}
    damaged = [each for each in sick(reports) if each.name not in held]
    if left := [each for each in sick(reports) if each.name in held and rules.heal == "repair"]:
        warn(host, subject, f"a running program holds it, and it is left to that: {in_words(left)}")
    if damaged and rules.heal == "repair":
        damage = in_words(damaged)
        if not (yield from permission(host, subject, "restore", damage, cause="state-damaged")):
            return
        host.log(f"{subject}: {damage}")
        yield from _settling(rules, "repair", [each.name for each in damaged])
    due = _to_keep(seen, reports, rules)
    if due:
        if not (yield from permission(host, subject, "tidy", "a valid state has changed", verdict="warning")):
            return
        yield FunctionCommand(_keep, (rules, due), {})
    elif not damaged or rules.heal == "report":
        host.noop(f"{subject}: nothing is to be repaired")


def _tell(subject: str, reports: Sequence[SessionReport], rules: Orchestration) -> None:
    """Warn of what nothing is done about."""
    from miyabi.orchestration.report_words import in_words, only_told  # noqa: PLC0415 - see healed

    told = only_told(reports, rules)
    unread = [each.name for each in reports if each.status == "unknown"]
    if told:
        warn(host, subject, in_words(told))
    if unread:
        warn(host, subject, f"not read: {names_in_words(unread)}")


def _to_keep(seen: SeenWorkspace, reports: Sequence[SessionReport], rules: Orchestration) -> list[tuple[str, str]]:
    """The names and digests of valid sessions that are to be kept once more."""
    from miyabi.orchestration.workspace import REPLACED  # noqa: PLC0415 - only a workspace needs it
    from miyabi.state_material import backup_of  # noqa: PLC0415

    valid = {each.name for each in reports if each.repair == "none" and each.status not in {"corrupted", "unknown"}}

    def is_due(file: SeenFile) -> bool:
        valid = (each for each in seen.backups if backup_of(each.name) == file.name and REPLACED not in each.name)
        kept = max((each.changed_at for each in valid), default=None)
        if kept is None:
            return True
        return file.changed_at > kept and seen.now - kept >= rules.backup_every

    return [(each.name, each.digest) for each in seen.sessions if each.name in valid and each.is_own and is_due(each)]


def _settling(
    rules: Orchestration, action: Action, names: Sequence[str], backup: str = ""
) -> Generator[PyinfraCommand]:
    subject = subject_of(rules)
    note(host, subject, "failed", f"{action} of {names_in_words(names)} did not end")
    yield FunctionCommand(_settle, (rules, action, tuple(names), backup), {})


def _settle(state: State, host: Host, rules: Orchestration, action: Action, names: Sequence[str], backup: str) -> bool:
    """Decide and write until each session is as it should be; False when one is not, or a human must look."""
    from miyabi.state_material import digest_of  # noqa: PLC0415 - only who writes needs it
    from miyabi.state_repair import settle  # noqa: PLC0415
    from operations.host_workspace import HostWorkspace  # noqa: PLC0415 - as above

    del state
    there, decide, children = HostWorkspace(host, rules), _decide(action, rules, backup), dict[str, int]()
    if rules.end_children and action == "repair":
        from operations.children import end_children, noting_children  # noqa: PLC0415 - few specs want it

        settled = settle(there, names, noting_children(decide, children), tries=_TRIES)
        end_children(host, there, subject_of(rules), children)
    else:
        # A program that goes on with what was put back, or begins anew at once, is what was wanted.
        settled = settle(there, names, decide, insist=action in {"repair", "clean"}, tries=_TRIES)
    # What is valid now is what the next damage may have to go back to.
    made = [each for each in settled if each.outcome == "done" and each.decision.content is not None]
    valid = [(each.name, digest_of(each.decision.content)) for each in made]
    if failed := _kept(host, rules, valid):
        host.log_styled(f"{subject_of(rules)}: not kept: {failed}", fg="yellow", log_func=logger.warning)
    return _note(host, rules, settled)


def _decide(action: Action, rules: Orchestration, backup: str) -> Decide:
    from miyabi import state_decisions as decisions  # noqa: PLC0415 - as above

    by_action: dict[Action, Callable[[], Decide]] = {
        "repair": partial(decisions.repairing, rules),
        "replay": partial(decisions.replaying, rules),
        "restore": partial(decisions.restoring, rules, backup),
        "clean": partial(decisions.cleaning, rules),
        "reset": decisions.resetting,
    }
    return by_action[action]()


def _note(host: Host, rules: Orchestration, settled: Sequence[Settled]) -> bool:
    from miyabi.state_view import settled_lines  # noqa: PLC0415 - as above

    lines = {each.name: list(settled_lines(each, is_plan=False)) for each in settled}
    for each in settled:
        for line in lines[each.name]:
            host.log(line)
    bad = [each for each in settled if each.outcome in {"failed", "overtaken", "quarantined"}]
    done = [each for each in settled if each.outcome == "done"]
    words = "; ".join(lines[each.name][0] for each in bad or done) or "nothing was to be done"
    note(host, subject_of(rules), "failed" if bad else "repaired", words)
    if bad:
        host.log_styled(f"{subject_of(rules)}: {words}", fg="red", log_func=logger.error)
    return not bad


def _keep(state: State, host: Host, rules: Orchestration, due: Sequence[tuple[str, str]]) -> bool:
    """Keep valid states as backups; one that could not be kept is told, as nothing stands or falls with it."""
    del state
    failed = _kept(host, rules, due)
    subject = subject_of(rules)
    if subject not in findings(host):
        names = names_in_words(name for name, _ in due)
        note(host, subject, *(("warning", f"not kept: {failed}") if failed else ("tidied", f"kept {names}")))
    return True


def _kept(host: Host, rules: Orchestration, due: Sequence[tuple[str, str]]) -> str:
    """Keep valid states as backups; why that failed, "" when it did not."""
    from miyabi.orchestration.state_write_script import CHANGED, keep_script  # noqa: PLC0415 - only who writes needs it
    from operations.host_workspace import run  # noqa: PLC0415

    ran = [(name, run(host, keep_script(rules.workspace, name, digest, rules.backups))) for name, digest in due]
    forget(host, WORKSPACE)
    # A state that has changed since it was judged is kept by the next run.
    return "; ".join(f"{name}: {each.reason}" for name, each in ran if each.code not in {0, CHANGED})


@operation(is_idempotent=False, idempotent_notice="A backup is made each time.")
def backed_up(workspace: str, label: str = "") -> Generator[PyinfraCommand]:
    """Keep a workspace's whole state as it is, in ``.claude/recovery/backup-STAMP``.

    + workspace: its folder; may begin with ``~`` or ``$NAME`` of the host
    + label: in place of the moment: letters, digits, ``_``, ``.`` and ``-``

    **Example:**

    .. code:: python

        from operations import state

        state.backed_up(name="Backup", workspace="~/repos/miyabi", label="before-the-move")
    """
    from miyabi.orchestration.backup_script import backup_script  # noqa: PLC0415 - only who keeps it needs it

    subject = subject_of(Orchestration(workspace))
    reason = refuse_path(workspace)
    try:
        script = backup_script(workspace, label)
    except ValueError as error:
        reason, script = reason or str(error), ""
    if reason is not None:
        yield from failing(host, subject, reason)
        return
    if (yield from permission(host, subject, "tidy", "a backup is asked for")):
        yield FunctionCommand(_back_up, (workspace, script), {})


def _back_up(state: State, host: Host, workspace: str, script: str) -> bool:
    """Make the backup, and look whether it is there; False when it is not."""
    from operations.host_workspace import HostWorkspace, run  # noqa: PLC0415 - only who writes needs it

    del state
    rules = Orchestration(workspace)
    ran = run(host, script)
    seen = HostWorkspace(host, rules).look()
    made = ran.code == 0 and (not seen.sessions or any(each.name.startswith(f"{ran.reason}/") for each in seen.backups))
    words = f"kept as {ran.reason}" if made else f"no backup was made: {ran.reason}"
    note(host, subject_of(rules), "tidied" if made else "failed", words)
    host.log_styled(f"{seen.path}: {words}", fg="green" if made else "red", log_func=logger.info)
    return made


@operation()
def settled(
    rules: Orchestration, action: Action, sessions: Sequence[str] = (), backup: str = ""
) -> Generator[PyinfraCommand]:
    """Do what a human asks for with the sessions of a workspace.

    + rules: the workspace, and what is wanted of it
    + action: ``repair`` by the decision tree; ``replay`` rebuilds them from the event log; ``restore`` puts a backup
      back; ``clean`` archives what is finished and old; ``reset`` puts them aside, whole, so that they begin anew
    + sessions: the names of their files; all of them without any
    + backup: for ``restore``: its name; "" is the newest valid one

    What is replaced is among the backups afterwards, and what was put aside in ``.claude/recovery/quarantine``.

    **Example:**

    .. code:: python

        state.settled(name="Rebuild", rules=Orchestration("~/repos/miyabi"), action="replay")
    """
    subject = subject_of(rules)
    looked = look_at(host, rules)
    if isinstance(looked, str):
        yield from failing(host, subject, looked)
        return
    seen, _ = looked
    there = [each.name for each in seen.sessions]
    if action in {"restore", "replay"}:
        from miyabi.state_material import backup_of  # noqa: PLC0415 - as above

        # What is gone is what they are for.
        there += sorted({name for each in seen.backups if (name := backup_of(each.name))} - set(there))
    if unknown := [each for each in sessions if each not in there and action != "restore"]:
        yield from failing(host, subject, f"no such session: {names_in_words(unknown)}")
        return
    names = list(sessions) or there
    held = [each.name for each in seen.locks if each.holder == "alive" and each.name in names]
    if action == "reset" and held:
        yield from failing(host, subject, f"a running program holds {names_in_words(held)}: end it first")
        return
    if not names:
        host.noop(f"{subject}: there is no session")
        return
    if (yield from permission(host, subject, _ASKED, f"{action} of {names_in_words(names)} is asked for")):
        yield from _settling(rules, action, names, backup)
