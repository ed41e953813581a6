"""Listing captioning models: a folder in which anything may lie costs itself at most."""

import json
import os

import pytest
from time_diffedit.diffedit_core.prompts.captions_folder import BLIP, LONGEST_CONFIG, listed

GOOD = {"model_type": "blip", "architectures": ["BlipForConditionalGeneration"]}
STRANGE = {
    "a number of architectures": json.dumps(GOOD | {"architectures": 5}),
    "a name of architectures": json.dumps(GOOD | {"architectures": "BlipForConditionalGeneration"}),
    "a list": "[]",
    "a number": "7",
    "nothing": "",
    "no JSON": "{",
    "deeply nested": "[" * 100_000,
    "long": json.dumps(GOOD) + " " * LONGEST_CONFIG,
    "not UTF-8": b"\xff\xfe",
}


@pytest.fixture
def root(tmp_path):
    model = tmp_path / "good"
    model.mkdir()
    (model / "config.json").write_text(json.dumps(GOOD))
    return tmp_path


@pytest.mark.parametrize("content", STRANGE.values(), ids=STRANGE)
def test_a_bad_folder_costs_only_itself_and_one_line_of_the_log(root, content, caplog):
    bad = root / "bad"
    bad.mkdir()
    (bad / "config.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert listed([str(root)], BLIP) == listed([str(root)], BLIP) == ["good"]
    assert [str(bad / "config.json") in record.message for record in caplog.records] == [True]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(root, caplog):
    (root / "pipe").mkdir()
    os.mkfifo(root / "pipe" / "config.json")
    (root / "folder" / "config.json").mkdir(parents=True)
    assert listed([str(root)], BLIP) == ["good"]
    assert not caplog.records


def test_other_models_are_no_reason_for_a_line(root, caplog):
    (root / "t5").mkdir()
    (root / "t5" / "config.json").write_text(json.dumps({"model_type": "t5"}))
    (root / "empty").mkdir()
    assert listed([str(root), str(root / "gone")], BLIP) == ["good"]
    assert not caplog.records


def test_a_root_that_cannot_be_listed_costs_only_itself(root, tmp_path_factory, caplog):
    closed = tmp_path_factory.mktemp("closed")
    closed.chmod(0)
    try:
        if os.access(closed, os.R_OK):
            pytest.skip("this user may read everything")
        assert listed([str(closed), str(root)], BLIP) == ["good"]
        assert len(caplog.records) == 1
    finally:
        closed.chmod(0o700)


def test_a_link_to_a_folder_is_followed(root, tmp_path_factory):
    """Models may lie elsewhere; SECURITY.md says why a link is no danger here."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "config.json").write_text(json.dumps(GOOD))
    (root / "link").symlink_to(elsewhere)
    assert listed([str(root)], BLIP) == ["good", "link"]
