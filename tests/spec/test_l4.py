"""What a spec says of its host's instance."""

from __future__ import annotations

import pytest

from miyabi.instance_rules import REMEDIES, Accepted, InstanceRules
from miyabi.levels import Level
from miyabi.spec_json import spec_from_json, spec_to_json
from miyabi.spec_view import spec_to_mapping
from tests.spec.reading import problems, spec


@pytest.mark.parametrize("text", ["sessions: []", "l4: {}", "session_name: s\nwindows: [{}]"])
def test_nothing_may_be_done_by_default(text: str) -> None:
    found = spec(text).l4
    assert found == InstanceRules()
    assert not any(found.allows(remedy) for remedy in REMEDIES)


def test_everything_can_be_set() -> None:
    whole = spec("""
        recovery: {max_level: L4}
        l4:
          run_command: true
          start: true
          reboot: true
          stop_start: true
          replace: true
          launch_template: lt-0abc:$Latest
          accept: [new-address, instance-store, new-address, scheduled-event]
          self_healing: 90s
    """)
    accepted: tuple[Accepted, ...] = ("new-address", "instance-store", "scheduled-event")
    assert whole.l4 == InstanceRules(True, True, True, True, True, "lt-0abc:$Latest", accepted, 90.0)
    assert all(whole.l4.allows(remedy) for remedy in REMEDIES)
    assert spec_from_json(spec_to_json(whole)) == whole


@pytest.mark.parametrize("key", ["run_command", "start", "reboot", "stop_start"])
def test_each_is_allowed_for_itself(key: str) -> None:
    found = spec(f"l4: {{{key}: true}}").l4
    assert [remedy for remedy in REMEDIES if found.allows(remedy)] == [key.replace("_", "-")]


def test_it_may_stand_without_the_level() -> None:
    found = spec("l4: {reboot: true}")
    assert found.l4.reboot
    assert found.recovery.max_level is Level.L3


@pytest.mark.parametrize(
    "name", ["worker", "lt-0123abcd", "a(b)./_-c", "worker:3", "worker:$Latest", "worker:$Default"]
)
def test_templates(name: str) -> None:
    assert spec(f"l4: {{replace: true, launch_template: '{name}'}}").l4.launch_template == name


@pytest.mark.parametrize(
    "name", ["ab", "a b c", "worker:", "worker:0", "worker:latest", "worker:$latest", "w;id", "''"]
)
def test_what_is_no_template(name: str) -> None:
    (refused,) = problems(f"l4: {{launch_template: {name}}}" if name == "''" else f"l4: {{launch_template: '{name}'}}")
    assert refused.startswith("1: l4.launch_template: found ")


def test_a_template_without_replace_is_only_kept() -> None:
    assert not spec("l4: {launch_template: worker}").l4.replace


@pytest.mark.parametrize("value", ["true", "yes", "'yes'", "'True'", "1", "on"])
def test_what_is_read_as_replace_needs_its_template(value: str) -> None:
    assert len(problems(f"l4: {{replace: {value}}}")) == 1


def test_replace_needs_its_template() -> None:
    (refused,) = problems("sessions: []\nl4:\n  reboot: true\n  replace: true")
    expected = "launch_template beside it, from which another instance is launched"
    assert refused == f"4: l4.replace: found replace without launch_template; allowed: {expected}"
    assert not spec("l4: {replace: false}").l4.replace


def test_it_is_shown() -> None:
    shown = spec_to_mapping(spec("l4: {reboot: true, accept: [new-address]}"))["l4"]
    assert isinstance(shown, dict)
    assert (shown["reboot"], shown["stop_start"], shown["accept"]) == (True, False, ["new-address"])
