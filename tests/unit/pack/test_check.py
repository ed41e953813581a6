"""What `make check` is made of."""

import sys
from pathlib import Path

import pytest
import yaml

from tools import check
from tools.comfyui.environment import ROOT, SetupError


def test_all_parts_run_unless_some_are_named():
    assert list(check.chosen("")) == ["format", "lint", "python-types", "javascript-types", "tests"]
    assert list(check.chosen("lint format")) == ["lint", "format"]


def test_a_part_that_does_not_exist_is_named():
    with pytest.raises(SetupError, match="ONLY=lint tpyes: there is no part 'tpyes'. The parts are format, lint, "):
        check.chosen("lint tpyes")


def test_a_part_that_fails_says_why():
    results = check.results({"bad": check.Part([sys.executable, "-c", "print('why'); raise SystemExit(3)"])})
    (name, code, seconds, said) = next(results)
    assert (name, code, said) == ("bad", 3, "why\n")
    assert seconds > 0
    assert next(results, None) is None


@pytest.mark.parametrize(("text", "part"), [("x  =  1\n", "format"), ("import os\n", "lint"), ("x = y\n", "lint")])
def test_a_planted_error_fails(text: str, part: str, tmp_path: Path):
    (tmp_path / "planted.py").write_text(text)
    *command, folder = check.parts()[part].command
    assert folder == "."
    settings = ["--config", str(ROOT / "pyproject.toml")]
    _, code, _, said = check.run(part, check.Part([*command, *settings, str(tmp_path)]))
    assert code == 1
    assert "planted.py" in said


def test_the_hooks_before_a_commit_are_the_same_parts():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert [hook["id"] for hook in hooks] == list(check.parts())
    assert [hook["entry"] for hook in hooks] == [f"make --silent check ONLY={part}" for part in check.parts()]
