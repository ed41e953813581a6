"""The real host with the real ComfyUI-Manager: the pack is listed, disabled, enabled, updated and removed, and nothing stays.

All by requests to the Manager, which is offline (`network_mode = offline`). By git the pack comes from a repository in a folder
that git takes for the one on GitHub, cloned by the Manager itself ("Install via Git URL", a part of its older page); by the
registry it comes as the archive that the registry would get, unpacked as the Manager does it.

What cannot be shown offline, nor before the pack is published: that the Manager finds it in the registry, downloads it and
updates it from there. To install or update so, the Manager asks api.comfy.org even offline; here the question is seen, and that
the pack is as before when no answer comes. Without the registry's list an archive's pack that was disabled is not found again,
either: the task "enable" is called a success and does nothing. Installing the version that lies there enables it.

One server for all: each fixture goes on where the one that it asks for has ended, and keeps what was to be seen then.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.comfyui.client import WorkflowError
from tools.comfyui.environment import PACK_FOLDER
from tools.release.archive import project
from tools.release.installation import REGISTRY_FOLDER, files_below
from tools.release.managed import Gate, ManagedServer, instead_of, unpack_as_the_manager
from tools.workflows.workflow import Graph

ADDRESS = project()["project"]["urls"]["Repository"]
ON_GITHUB = ADDRESS.removeprefix("https://github.com/")
VERSION = project()["project"]["version"]
REGISTRY = "CONNECT api.comfy.org:443"
NODE, NAME = "CompositeEditedPicture", "Composite Edited Picture"
MANAGERS_FOLDER = "custom_nodes/.disabled"
RAN = "ran"
REFUSED = f"Node '{NODE}' not found. The custom node may not be installed."


@dataclass(frozen=True)
class Seen:
    """What the Manager said of the last task and lists; what the host has of packs; what lies there; and a workflow's fate."""

    said: str | int
    listed: dict[str, dict]
    nodes: dict[str, dict]
    files: dict[str, bytes]
    paths: set[str]
    workflow: str


def workflow() -> dict:
    """One that a node of the pack takes part in, and no model."""
    graph = Graph()
    pictures = [graph.add("EmptyImage", width=64, height=64, batch_size=1, color=color)[0] for color in (0, 0xFFFFFF)]
    mask = graph.add("SolidMask", value=1.0, width=64, height=64)
    composed = graph.add(NODE, original=pictures[0], edited=pictures[1], mask=mask[0], feather=0)
    graph.add("PreviewImage", images=composed[0])
    return graph.api()


def fate(server: ManagedServer) -> str:
    try:
        server.client.run(workflow(), "a composite", quiet=True)
    except WorkflowError as refusal:
        return str(refusal)
    return RAN


def paths_below(base: Path) -> set[str]:
    """In the folders that a pack could leave something in: everything, Python's and git's own files and folders, too."""
    return {str(path.relative_to(base)) for name in ("custom_nodes", "models") for path in (base / name).rglob("*")}


def seen(server: ManagedServer, said: str | int = "") -> Seen:
    base = server.base
    return Seen(said, server.installed(), server.loaded(), files_below(base), paths_below(base), fate(server))


def seen_after_restart(server: ManagedServer, said: str) -> Seen:
    server.restart()
    return seen(server, said)


def git(folder: Path, *arguments: str) -> str:
    author = ("-c", "user.name=pack", "-c", "user.email=pack")
    return subprocess.run(["git", *author, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def head(repository: Path) -> str:
    return git(repository, "rev-parse", "HEAD")


def listed_by_git(commit: str, enabled: bool) -> dict[str, dict]:
    return {PACK_FOLDER: {"ver": commit, "cnr_id": "", "aux_id": ON_GITHUB, "enabled": enabled}}


def listed_by_registry(folder: str, enabled: bool) -> dict[str, dict]:
    return {folder: {"ver": VERSION, "cnr_id": REGISTRY_FOLDER, "aux_id": None, "enabled": enabled}}


@pytest.fixture(scope="module")
def remote(repository, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("remote") / "remote.git"
    git(repository, "clone", "-q", "--bare", str(repository), str(folder))
    return folder


@pytest.fixture(scope="module")
def gate():
    gate = Gate()
    yield gate
    gate.close()


@pytest.fixture(scope="module")
def variables(gate, remote) -> dict[str, str]:
    return gate.variables | instead_of(ADDRESS, remote)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("base")


@pytest.fixture(scope="module")
def cloned(base, variables) -> Seen:
    """By the Manager's older page; all else is asked of the newer."""
    server = ManagedServer(base, variables, legacy=True)
    try:
        return seen(server, server.install_from(ADDRESS))
    finally:
        server.close()


@pytest.fixture(scope="module")
def server(cloned, base, variables):
    server = ManagedServer(base, variables)
    yield server
    server.close()


@pytest.fixture(scope="module")
def started(server) -> Seen:
    return seen(server)


@pytest.fixture(scope="module")
def disabled(server, started) -> Seen:
    return seen_after_restart(server, server.do("disable", node_name=PACK_FOLDER, is_unknown=True))


@pytest.fixture(scope="module")
def enabled(server, disabled) -> Seen:
    return seen(server, server.do("enable", cnr_id=PACK_FOLDER))


@pytest.fixture(scope="module")
def newer(enabled, remote, tmp_path_factory) -> str:
    """A commit that renames a node, pushed to the remote."""
    checkout = tmp_path_factory.mktemp("newer") / "checkout"
    git(remote, "clone", "-q", str(remote), str(checkout))
    module = checkout / "nodes" / "diffedit" / "composite_edited_picture.py"
    before = module.read_text()
    module.write_text(before.replace(f'display_name="{NAME}"', 'display_name="Newer"'))
    assert module.read_text() != before
    git(checkout, "commit", "-q", "--all", "--message", "newer")
    git(checkout, "push", "-q")
    return head(checkout)


@pytest.fixture(scope="module")
def updated(server, newer) -> Seen:
    return seen_after_restart(server, server.do("update", node_name=PACK_FOLDER, node_ver="unknown"))


@pytest.fixture(scope="module")
def removed(server, updated) -> Seen:
    return seen_after_restart(server, server.do("uninstall", node_name=PACK_FOLDER, is_unknown=True))


@pytest.fixture(scope="module")
def unpacked(server, removed, repository) -> Seen:
    unpack_as_the_manager(repository, server.custom_nodes)
    return seen_after_restart(server, "")


@pytest.fixture(scope="module")
def put_away(server, unpacked) -> Seen:
    return seen(server, server.do("disable", node_name=REGISTRY_FOLDER, is_unknown=False))


@pytest.fixture(scope="module")
def not_found_again(server, put_away) -> Seen:
    return seen(server, server.do("enable", cnr_id=REGISTRY_FOLDER))


def install(server: ManagedServer, version: str) -> str:
    versions = {"version": version, "selected_version": version}
    return server.do("install", id=REGISTRY_FOLDER, mode="cache", channel="default", **versions)


@pytest.fixture(scope="module")
def back(server, not_found_again) -> Seen:
    return seen(server, install(server, VERSION))


@pytest.fixture(scope="module")
def asked_offline(gate, back) -> list[str]:
    """Whom the Manager asked outside, until the first task that needs the registry."""
    return list(gate.asked)


@pytest.fixture(scope="module")
def without_registry(server, asked_offline) -> dict[str, Seen]:
    return {
        "install": seen(server, install(server, "999.0.0")),
        "update": seen(server, server.do("update", node_name=REGISTRY_FOLDER, node_ver=VERSION)),
    }


@pytest.fixture(scope="module")
def removed_again(server, without_registry) -> Seen:
    return seen_after_restart(server, server.do("uninstall", node_name=REGISTRY_FOLDER, is_unknown=False))


def assert_loaded(seen: Seen, folder: str, name: str = NAME) -> None:
    assert {node["python_module"] for node in seen.nodes.values()} == {f"custom_nodes.{folder}"}
    assert seen.nodes[NODE]["display_name"] == name
    assert seen.workflow == RAN


def assert_not_loaded(seen: Seen) -> None:
    assert seen.nodes == {} and seen.workflow == REFUSED


def assert_gone(seen: Seen) -> None:
    assert seen.said == "success" and seen.listed == {}
    assert seen.files == {} and seen.paths <= {MANAGERS_FOLDER}
    assert_not_loaded(seen)


def test_the_manager_clones_the_pack(cloned, repository):
    assert cloned.said == 200
    assert cloned.listed == listed_by_git(head(repository), enabled=True)
    assert_not_loaded(cloned)


def test_a_clone_is_listed_by_its_repository_and_commit(started, repository):
    assert started.listed == listed_by_git(head(repository), enabled=True)
    assert_loaded(started, PACK_FOLDER)


def test_a_clone_is_disabled(disabled, repository):
    assert disabled.said == "success"
    assert disabled.listed == listed_by_git(head(repository), enabled=False)
    assert_not_loaded(disabled)


def test_a_clone_is_enabled_with_every_file_as_before(enabled, started):
    assert enabled.said == "success"
    assert enabled.listed == started.listed and enabled.files == started.files


def test_a_clone_is_updated(updated, newer):
    assert updated.said == "success"
    assert updated.listed == listed_by_git(newer, enabled=True)
    assert_loaded(updated, PACK_FOLDER, name="Newer")


def test_a_clone_is_removed_and_nothing_stays(removed):
    assert_gone(removed)


def test_an_archive_is_listed_by_its_name_and_version(unpacked):
    assert unpacked.listed == listed_by_registry(REGISTRY_FOLDER, enabled=True)
    assert_loaded(unpacked, REGISTRY_FOLDER)


def test_an_archive_is_disabled(put_away):
    assert put_away.said == "success"
    assert put_away.listed == listed_by_registry(f"{REGISTRY_FOLDER}@{VERSION.replace('.', '_')}", enabled=False)


def test_an_archive_is_enabled_with_every_file_as_before(not_found_again, put_away, back, unpacked):
    assert not_found_again.said == "success" and not_found_again.listed == put_away.listed, (
        "the Manager does more: say so above"
    )
    assert back.said == "success"
    assert back.listed == unpacked.listed and back.files == unpacked.files


def test_an_archive_is_removed_and_nothing_stays(removed_again):
    assert_gone(removed_again)


def test_nobody_outside_was_asked(asked_offline):
    assert asked_offline == []


@pytest.mark.parametrize("task", ["install", "update"])
def test_what_needs_the_registry_fails_without_it_and_changes_nothing(without_registry, back, gate, task):
    tried = without_registry[task]
    assert tried.said not in ("success", "skip")
    assert tried.listed == back.listed and tried.files == back.files
    assert gate.asked and all(line.startswith(REGISTRY) for line in gate.asked)
