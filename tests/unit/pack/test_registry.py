"""What the registry and GitHub read: pyproject.toml, the pictures it names, the workflows."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from PIL import Image

from tools.comfyui.hosts import MAIN, OLDEST, frontend_of, host_folder
from tools.comfyui.install import LOCK, ROOT
from tools.comfyui.library import comfyui_path
from tools.release.archive import project

PROJECT = project()
OLDEST_FRONTEND = "1.43.18"  # in the requirements.txt of the oldest ComfyUI
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
REPOSITORY = PROJECT["project"]["urls"]["Repository"]


def read(path: Path) -> dict:
    workflow = yaml.safe_load(path.read_text())
    workflow["on"] = workflow.pop(True)  # YAML 1.1 takes the key `on` for a boolean
    return workflow


def steps(path: Path) -> list[dict]:
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_field_is_there():
    about, comfy = PROJECT["project"], PROJECT["tool"]["comfy"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", about["version"])
    assert about["name"] == about["name"].lower() and "comfyui" not in about["name"]
    assert (ROOT / about["license"]["file"]).is_file()
    assert set(about["urls"]) == {"Homepage", "Repository", "Documentation", "Issues"}
    assert all(url.startswith(REPOSITORY) for url in about["urls"].values())
    assert comfy["PublisherId"] == REPOSITORY.split("/")[-2]
    assert {"DisplayName", "Icon", "Banner", "requires-comfyui"} <= set(comfy)
    assert "web" not in comfy, "WEB_DIRECTORY exports the folder already; two exports import every script twice"


def test_the_only_dependency_is_the_line_that_names_the_frontends():
    (line,) = PROJECT["project"]["dependencies"]
    assert line == f"comfyui-frontend-package>={OLDEST_FRONTEND}"
    assert not (ROOT / "requirements.txt").exists()


def test_no_frontend_of_a_host_is_replaced_because_of_that_line():
    wanted = Requirement(PROJECT["project"]["dependencies"][0])
    frontends = {file.stem for file in (LOCK / "frontends").glob("*.txt")} | {
        frontend_of(host_folder()),
        frontend_of(comfyui_path()),
    }
    assert OLDEST_FRONTEND in frontends and len(frontends) >= 5
    assert all(wanted.specifier.contains(version) for version in frontends)


def test_the_hosts_parser_reads_every_classifier():
    from comfy_config.config_parser import extract_node_configuration

    read = extract_node_configuration(str(ROOT))
    assert read.project.supported_os == ["OS Independent"]
    assert len(read.project.supported_accelerators) == 4
    assert read.project.supported_comfyui_version == PROJECT["tool"]["comfy"]["requires-comfyui"]
    assert read.project.supported_comfyui_frontend_version == f">={OLDEST_FRONTEND}"


@pytest.mark.parametrize(("field", "shape"), [("Icon", (400, 400)), ("Banner", (1260, 540))])
def test_pictures_are_in_the_repository_at_the_size_the_registry_wants(field, shape):
    base = REPOSITORY.replace("github.com", "raw.githubusercontent.com") + "/main/"
    path = ROOT / PROJECT["tool"]["comfy"][field].removeprefix(base)
    assert path.is_relative_to(ROOT / "assets")
    assert Image.open(path).size == shape


def test_the_version_has_a_part_in_the_changelog():
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] in ("Unreleased", PROJECT["project"]["version"])


def test_workflows_call_make_targets_and_files_that_exist():
    assert [path.name for path in WORKFLOWS] == ["publish.yml", "test.yml"]
    commands = [step["run"] for path in WORKFLOWS for step in steps(path) if "run" in step]
    assert ".ci/run" in commands and (ROOT / ".ci" / "run").stat().st_mode & 0o111
    called = {word for command in commands for word in re.findall(r"\bmake ([\w-]+)", command)}
    called |= set(re.findall(r"^make ([\w-]+)", (ROOT / ".ci" / "run").read_text(), re.MULTILINE))
    assert {"test", "peers"} <= called <= make_targets()


def test_the_oldest_the_main_and_the_newest_host_are_tried():
    job = read(ROOT / ".github" / "workflows" / "test.yml")["jobs"]["hosts"]
    assert job["strategy"]["matrix"]["tag"] == [f"v{OLDEST}", f"v{MAIN}", "newest"]
    assert any(step.get("run", "").startswith("make hosts HOST_PATH=") for step in job["steps"])


@pytest.mark.parametrize(("tag", "expected"), [("v0.9.0", "v0.9.0"), ("newest", "v0.38.1")])
def test_the_newest_host_is_that_of_the_highest_number(tmp_path, tag, expected):
    """The workflow's own step, with a repository of this machine in place of the public one."""

    def git(*arguments: str) -> str:
        author = ("-c", "user.name=pack", "-c", "user.email=pack")
        command = ["git", *author, *arguments]
        return subprocess.run(command, cwd=tmp_path / "there", check=True, capture_output=True, text=True).stdout

    (tmp_path / "there").mkdir()
    git("init", "-q")
    for name in ("v0.9.0", "v0.38.1", "v0.1.1113", "latest"):
        git("commit", "-q", "--allow-empty", "-m", name)
        git("tag", name)
    (step,) = (step for step in steps(ROOT / ".github" / "workflows" / "test.yml") if step.get("name") == "Fetch ComfyUI")
    instead = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_VALUE_0": "https://github.com/Comfy-Org/ComfyUI"}
    instead["GIT_CONFIG_KEY_0"] = f"url.file://{tmp_path / 'there'}.insteadOf"
    subprocess.run(
        ["bash", "-eo", "pipefail", "-c", step["run"]], cwd=tmp_path, check=True, env=os.environ | instead | {"TAG": tag}
    )
    said = subprocess.run(
        ["git", "log", "-1", "--format=%s"], cwd=tmp_path / ".cache" / "ComfyUI", capture_output=True, text=True
    )
    assert said.stdout.strip() == expected


def test_every_job_has_steps_that_do_one_thing_each():
    for path in WORKFLOWS:
        for step in steps(path):
            assert ("run" in step) != ("uses" in step), (path.name, step)
            assert "uses" not in step or re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"])


def test_only_the_owner_publishes_and_only_a_changed_pyproject():
    workflow = read(ROOT / ".github" / "workflows" / "publish.yml")
    assert workflow["on"]["push"] == {"branches": ["main"], "paths": ["pyproject.toml"]}
    assert workflow["jobs"]["publish"]["if"] == f"github.repository_owner == '{PROJECT['tool']['comfy']['PublisherId']}'"
    assert any(
        step.get("uses", "").startswith("Comfy-Org/publish-node-action@") for step in workflow["jobs"]["publish"]["steps"]
    )


def test_help_lists_every_target():
    listed = set(re.findall(r'@echo "make ([\w-]+)', (ROOT / "Makefile").read_text()))
    assert listed == make_targets() - {"help"}
