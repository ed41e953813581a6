"""A new user's mistakes in the starters' forms: one click tells them in the node's words, another runs what is mended."""

import pytest
from comfy_page import ComfyPage
from playwright.sync_api import expect
from test_apps import ENDED, write

from tools.workflows.examples import STARTERS

EDIT, ASSUME, _ = STARTERS
SHOWS, SHALL_SHOW = "what it shows", "what it shall show"
ASSUMES, SHALL_ASSUME = "it assumes", "it shall assume"
MISTAKES = (
    (ASSUME, {ASSUMES: "a cat"}, "destination has no place for the word 'cat' of source"),
    (ASSUME, {SHALL_ASSUME: "a rose"}, "source and destination are equal in line 1"),
    (ASSUME, {SHALL_ASSUME: ""}, "destination is empty; write one prompt a line."),
    (ASSUME, {ASSUMES: "a rose\na car"}, "source has 2 lines and destination has 1"),
    (EDIT, {SHALL_SHOW: "a red rose", SHOWS: "a red rose"}, "target and source are the same prompt"),
)
MENDED = {
    ASSUME: {ASSUMES: "a rose", SHALL_ASSUME: "a blue rose"},
    EDIT: {SHALL_SHOW: "a green rose"},
}
CALLS = "() => { window.sampled = 0; app.api.addEventListener('progress', () => { window.sampled += 1 }) }"


def refused(comfy: ComfyPage, written: dict[str, str], told: str) -> None:
    """Write, press Run, and read in one click what is wrong. Nothing has been sampled."""
    for label, words in written.items():
        write(comfy, label, words)
    comfy.page.evaluate(CALLS)
    comfy.page.get_by_test_id("linear-run-button").get_by_role("button", name="Run").click()
    comfy.page.get_by_role("button", name="Show errors in graph").click()
    expect(comfy.page.locator("body")).to_contain_text(told)
    assert comfy.page.evaluate("() => window.sampled") == 0
    comfy.errors.clear()  # the host's own lines about a refused run


@pytest.mark.parametrize(("starter", "written", "told"), MISTAKES)
def test_a_mistake_is_told_and_mended(form, starter, written, told):
    comfy = form(starter)
    comfy.limit(steps=4)
    refused(comfy, written, told)
    comfy.picture("newcomer_told")
    for label, words in MENDED[starter].items():
        comfy.page.get_by_role("textbox", name=label).fill(words)
    comfy.page.evaluate(ENDED)
    comfy.page.get_by_test_id("queue-button").click()
    comfy.page.evaluate("() => window.ended")
    expect(comfy.page.locator("body")).not_to_contain_text(told)
