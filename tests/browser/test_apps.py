"""The starters as forms in place of the graph: the frontend's app mode. Nobody sees the canvas."""

import io

import numpy as np
import pytest
from comfy_page import ComfyPage
from PIL import Image
from playwright.sync_api import expect
from toyworld.judge import judge

from tools.workflows.examples import EXAMPLES, STARTERS

ENDED = """() => {
  window.ended = new Promise((told) => app.api.addEventListener('execution_success', () => told(), { once: true }))
}"""


def labels(comfy: ComfyPage) -> list[str]:
    return [text.strip() for text in comfy.page.get_by_test_id("builder-widget-label").all_inner_texts()]


def write(comfy: ComfyPage, label: str, words: str) -> None:
    number = labels(comfy).index(label)
    comfy.page.get_by_test_id("app-mode-widget-item").nth(number).get_by_role("textbox").fill(words)


def run(comfy: ComfyPage) -> np.ndarray:
    """Press Run; the picture that the form shows in the end."""
    expect(comfy.page.locator("#graph-canvas")).to_be_hidden()
    before = comfy.page.evaluate(SHOWN)
    comfy.page.evaluate(ENDED)
    comfy.page.get_by_test_id("linear-run-button").get_by_role("button", name="Run").click()
    comfy.page.evaluate("() => window.ended")
    address = comfy.page.wait_for_function(
        f"(before) => {{ const now = ({SHOWN})(); return now !== before && now }}", arg=before
    )
    expect(comfy.page.locator("#graph-canvas")).to_be_hidden()
    body = comfy.context.request.get(address.json_value()).body()
    return np.asarray(Image.open(io.BytesIO(body)).convert("RGB"), np.float32) / 255


# The largest picture on the page, which is the result.
SHOWN = """() => [...document.images].filter((image) => image.src.includes('type=output') && image.offsetWidth > 300)[0]?.src"""


def test_a_picture_is_edited_by_the_form(form):
    comfy = form(STARTERS[0])
    assert labels(comfy) == ["picture", "what it shows", "what it shall show", "Where to edit", "before | after", "model file"]
    comfy.limit(steps=20)
    write(comfy, "what it shows", "a red rose")
    write(comfy, "what it shall show", "a green rose")
    edited = run(comfy)
    assert (judge(edited).noun, judge(edited).colour) == ("rose", "green")
    line = comfy.view("DiffEditMask").get_by_role("slider", name="Threshold")
    line.focus()
    for _ in range(8):
        comfy.page.keyboard.press("ArrowLeft")
    threshold = comfy.value("DiffEditMask", "rule.threshold")
    assert threshold < 0.5
    comfy.picture("app_diffedit")
    assert not np.array_equal(run(comfy), edited)


@pytest.mark.parametrize("name", STARTERS[1:])
def test_a_form_has_named_fields_and_shows_its_picture(form, name):
    comfy = form(name)
    fields = labels(comfy)
    assert len(fields) == len(EXAMPLES[name].app.fields) and not [label for label in fields if "_" in label]
    comfy.limit(steps=8)
    assert run(comfy).std() > 0.05
    comfy.picture(f"app_{name}")
