"""inventory/ec2.yaml: what it may say, and everything that is wrong with one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from miyabi.ec2_file import _from_json, _to_json, read_ec2_file
from miyabi.ec2_schema import Ec2Model, settings_from_text
from miyabi.ec2_settings import Ec2Settings
from miyabi.errors import SpecError

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EVERYTHING = Ec2Settings(
    regions=("ap-northeast-1", "us-gov-west-1"),
    tags=(("miyabi", ("fleet",)), ("env", ("prod", "7"))),
    groups=("role", "aws:autoscaling:groupName"),
    profile="work",
    connect="ssm",
    user="ec2-user",
    key="~/.ssh/ec2",
    port=2222,
    spec="mugen",
    spec_tag="spec",
    keep=60.0,
)
TEXT = """
regions: [ap-northeast-1, us-gov-west-1, ap-northeast-1]
tags: {miyabi: fleet, env: [prod, 7]}
groups: [role, "aws:autoscaling:groupName", role]
profile: work
connect: ssm
ssh: {user: ec2-user, key: ~/.ssh/ec2, port: 2222}
spec: mugen
spec_tag: spec
keep: 1m
"""


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_everything_that_may_be_said(tmp_path: Path) -> None:
    path = tmp_path / "ec2.yaml"
    path.write_text(TEXT)
    assert settings_from_text("ec2.yaml", TEXT) == read_ec2_file(path) == read_ec2_file(path) == EVERYTHING
    assert _from_json(_to_json(EVERYTHING)) == EVERYTHING


def test_every_mistake_is_told_with_its_line() -> None:
    with pytest.raises(SpecError) as refused:
        settings_from_text("refused.yaml", (HERE / "refused.yaml").read_text(encoding="utf-8"))
    assert str(refused.value).splitlines() == (HERE / "refused.txt").read_text(encoding="utf-8").splitlines()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("tags", ["", "tags: {}", "tags:"])
def test_a_fleet_needs_a_tag(tags: str) -> None:
    with pytest.raises(SpecError, match=r"which instances belong to the fleet|found nothing"):
        settings_from_text("ec2.yaml", f"regions: [us-east-1]\n{tags}")
    assert settings_from_text("ec2.yaml", "").regions == ()


def test_without_a_file_there_are_no_instances(tmp_path: Path) -> None:
    assert read_ec2_file(tmp_path / "ec2.yaml") == read_ec2_file(tmp_path / "x" / "ec2.yaml") == Ec2Settings()
    with pytest.raises(SpecError, match="found a directory"):
        read_ec2_file(tmp_path)


def test_the_file_of_the_repository() -> None:
    path = ROOT / "inventory" / "ec2.yaml"
    assert read_ec2_file(path) == Ec2Settings()
    lines = [line.removeprefix("# ") for line in path.read_text(encoding="utf-8").splitlines()]
    written = "\n".join(line for line in lines if (line[:1].islower() and ":" in line) or line.startswith("  "))
    found = settings_from_text("ec2.yaml", written)
    named = {"regions", "tags", "groups", "profile", "user", "key"}
    assert found != Ec2Settings()
    for name in Ec2Settings.__slots__:
        assert (getattr(found, name) == getattr(Ec2Settings(), name)) is (name not in named), name


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"ec2": {}}', '{"ec2": {"tags": [1]}}', '{"ec2": null}'])
def test_what_was_not_kept_by_it_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no instances: "):
        _from_json(text)


def test_a_file_that_was_read_before_needs_neither_pydantic_nor_yaml(tmp_path: Path) -> None:
    path = tmp_path / "ec2.yaml"
    path.write_text(TEXT)
    program = (
        "import sys; from pathlib import Path; from miyabi.ec2_file import read_ec2_file\n"
        f"read_ec2_file(Path({str(path)!r})); print(sorted({{'pydantic', 'yaml'}} & set(sys.modules)))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert [run.stdout for run in runs] == ["['pydantic', 'yaml']\n", "[]\n"]


def test_every_key_is_described() -> None:
    page = (ROOT / "docs" / "ec2.md").read_text(encoding="utf-8")
    schema = Ec2Model.model_json_schema()
    keys = {*schema["properties"], *schema["$defs"]["SshModel"]["properties"]}
    assert {key for key in keys if f"`{key}`" not in page} == set()
