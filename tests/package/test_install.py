"""Installed into a fresh host as people do it: the same pack both ways, silent, and nothing written."""

import json

import pytest

from tools.comfyui.environment import PACK_FOLDER
from tools.release.archive import archive_files, project, sizes, tracked_files, write_archive
from tools.release.installation import REGISTRY_FOLDER, Installation, by_git, by_registry, files_below, not_at_all


@pytest.fixture(scope="module")
def installations(repository, tmp_path_factory):
    ways = {"registry": by_registry, "git": by_git, "none": not_at_all}
    running = {}
    try:
        for name, install in ways.items():
            running[name] = Installation(install, repository, tmp_path_factory.mktemp(name))
        yield running
    finally:
        for installation in running.values():
            installation.stop()


@pytest.fixture(params=["registry", "git"])
def installed(installations, request) -> Installation:
    return installations[request.param]


def test_folder_names(installations):
    assert installations["registry"].pack.name == REGISTRY_FOLDER == "time-diffedit"
    assert installations["git"].pack.name == PACK_FOLDER


def test_same_nodes_both_ways(installations):
    def described(way: str) -> dict:
        nodes = installations[way].nodes()
        return {name: {key: value for key, value in node.items() if key != "python_module"} for name, node in nodes.items()}

    assert described("registry") == described("git")
    assert len(described("registry")) >= 19
    assert not described("none")


def test_every_web_file_is_served_under_the_folders_name(installed):
    web = [name for name in installed.files_before if name.startswith("web/")]
    assert any(name.endswith(".md") for name in web) and any(name.endswith(".js") for name in web)
    for name in web:
        served = installed.bytes(f"/extensions/{installed.pack.name}/{name.removeprefix('web/')}")
        assert served == installed.files_before[name], name


def test_one_script_is_imported_at_start_and_only_once(installed):
    ours = [path for path in installed.get("/extensions") if not path.startswith("/extensions/core/")]
    assert ours == [f"/extensions/{installed.pack.name}/js/time_diffedit.js"]


def test_every_node_has_its_help_page(installed):
    for node in installed.nodes():
        pages = list((installed.pack / "web" / "docs").glob(f"{node}.md")) or [installed.pack / "web" / "docs" / node / "en.md"]
        inside = pages[0].relative_to(installed.pack / "web")
        assert installed.bytes(f"/extensions/{installed.pack.name}/{inside}").startswith(b"# "), node


def test_templates_are_listed_and_served(installed):
    expected = {path.stem for path in (installed.pack / "example_workflows").glob("*.json")}
    assert len(expected) >= 8
    assert set(installed.get("/api/workflow_templates")[installed.pack.name]) == expected
    for name in expected:
        served = installed.bytes(f"/api/workflow_templates/{installed.pack.name}/{name}.json")
        assert json.loads(served) == json.loads(installed.files_before[f"example_workflows/{name}.json"])


def test_subgraphs_are_listed(installed):
    expected = {path.stem for path in (installed.pack / "subgraphs").glob("*.json")}
    listed = {entry["name"] for entry in installed.get("/global_subgraphs").values() if entry["source"] == "custom_node"}
    assert listed == expected


def test_words_of_every_language_are_served(installed):
    languages = {path.name for path in (installed.pack / "locales").iterdir()}
    assert {"en", "zh", "ja", "fr"} <= languages
    served = installed.get("/i18n")
    for language in languages:
        for node in installed.nodes():
            assert served[language]["nodeDefs"][node]["display_name"], (language, node)


def test_starting_says_nothing_but_the_import_time(installations, installed):
    extra = installed.log_without_particulars() - installations["none"].log_without_particulars()
    assert {line for line in extra if installed.pack.name not in line} <= {"", "Import times for custom nodes:"}
    (about_us,) = [line for line in installed.log if str(installed.pack) in line]
    assert " seconds: " in about_us and "FAILED" not in about_us


def test_starting_writes_nothing(installations, installed):
    assert files_below(installed.pack) == installed.files_before
    custom_nodes = f"custom_nodes/{installed.pack.name}/"
    beside = {name for name in files_below(installed.base) if not name.startswith(custom_nodes)}
    assert beside == set(files_below(installations["none"].base))


def test_both_ways_bring_the_same_files(installations):
    registry, git = (installations[way].files_before for way in ("registry", "git"))
    assert registry == {name: git[name] for name in registry}


def test_the_archive_holds_what_users_need_and_no_more(repository, tmp_path):
    names = archive_files(repository)
    tops = {name.partition("/")[0] for name in names}
    needed = {
        "__init__.py",
        "compatibility.py",
        "nodes",
        "time_core",
        "diffedit_core",
        "web",
        "locales",
        "example_workflows",
        "subgraphs",
    }
    assert needed | {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"} <= tops
    assert not tops & {"tests", "tools", "benchmarks", "docs", "assets", "Makefile", "requirements.txt", "install.py"}
    assert "includes" not in project()["tool"]["comfy"], "archive_files knows of no forced files"
    assert {name for name in tracked_files(repository) if name.startswith("web/docs/")} <= set(names)
    write_archive(tmp_path / "pack.zip", repository)
    assert (tmp_path / "pack.zip").stat().st_size < 8 * 2**20
    print("\n".join(sizes(tmp_path / "pack.zip")))
