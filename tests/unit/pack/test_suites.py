"""What `make test` runs where, and the table of `make hosts`."""

import json

import pytest

from tools import suites
from tools.comfyui import hosts
from tools.comfyui.install import ROOT
from tools.release import on_hosts
from tools.release.on_hosts import Row

CHOICES = ("COMFYUI_PATH", "COMFYUI_VERSION", "COMFYUI_FRONTEND")


@pytest.fixture
def nothing_chosen(monkeypatch):
    for name in CHOICES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(suites, "make_host", lambda version: ROOT / version)
    monkeypatch.setattr(suites, "link_pack", lambda comfyui: None)
    return monkeypatch


def test_the_oldest_host_that_can_be_had_gets_the_short_suite(nothing_chosen):
    (short,) = [suite for suite in suites.suites() if suite.names == suites.SHORT]
    assert short.settings == {"COMFYUI_VERSION": hosts.pinned()[0]} and hosts.pinned()[0] != hosts.MAIN
    assert [suite.names for suite in suites.suites() if suite != short] == [(folder,) for folder in suites.SUITES]


@pytest.mark.parametrize("name", CHOICES)
def test_where_a_host_or_frontend_is_chosen_all_runs_there_and_nothing_elsewhere(nothing_chosen, name):
    nothing_chosen.setenv(name, "1.2.3")
    assert [suite.names for suite in suites.suites()] == [(folder,) for folder in suites.SUITES]


def test_what_the_suites_name_is_there():
    assert all((ROOT / name).exists() for name in (*suites.SUITES, *suites.SHORT))


def row(host: str, frontend: str, *failed: str) -> Row:
    return Row(host, "PyPI", frontend, 5, list(failed), 0, 60, "2026-01-02")


def test_a_row_replaces_that_of_the_same_host_and_frontend():
    old = [row("0.30.0", "1.47.12", "test_a"), row("0.100.0", "1.50.0"), row("0.24.1", "1.44.19")]
    new = row("0.30.0", "1.47.12")
    rows = on_hosts.merged(old, [new, row("0.30.0", "1.58.1")])
    assert [(each.host, each.frontend) for each in rows] == [
        ("0.24.1", "1.44.19"),
        ("0.30.0", "1.47.12"),
        ("0.30.0", "1.58.1"),
        ("0.100.0", "1.50.0"),
    ]
    assert rows[1] is new


def test_what_was_written_by_hand_below_the_table_stays(monkeypatch, tmp_path):
    monkeypatch.setattr(on_hosts, "TABLE", tmp_path / "hosts.md")
    monkeypatch.setattr(on_hosts, "ROWS", tmp_path / "hosts.json")
    on_hosts.write([row("0.30.0", "1.47.12", "test_a")])
    assert "| 0.30.0 | PyPI | 1.47.12 | 5 | test_a | 0 | 60 | 2026-01-02 |\n" in on_hosts.TABLE.read_text()
    with open(on_hosts.TABLE, "a") as table:
        table.write(on_hosts.NOTES + "\nby hand\n")
    on_hosts.write([row("0.30.0", "1.47.12")])
    assert "test_a" not in on_hosts.TABLE.read_text()
    assert on_hosts.TABLE.read_text().endswith("|\n" + on_hosts.NOTES + "\nby hand\n")


def test_the_table_in_the_repository_is_what_its_rows_say():
    rows = [Row(**each) for each in json.loads(on_hosts.ROWS.read_text())]
    assert on_hosts.TABLE.read_text().startswith(on_hosts.rendered(rows))
