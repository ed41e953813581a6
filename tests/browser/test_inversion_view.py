"""DDIM Invert shows how exactly each step can be undone, and how exactly the picture comes back."""

import re

import pytest
from playwright.sync_api import expect

NODE = "DDIMInvert"
INPUTS = {"steps": 10, "strength": 0.8, "cfg": 1.0, "method": "ddim", "regularisation": "none"}
INVERSION = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "toyworld.safetensors"}},
    "2": {"class_type": "EmptyLatentImage", "inputs": {"width": 128, "height": 128, "batch_size": 1}},
    "3": {"class_type": NODE, "inputs": {"model": ["1", 0], "clip": ["1", 1], "latent": ["2", 0], **INPUTS}},
    "4": {"class_type": "PreviewAny", "inputs": {"source": ["3", 3]}},
}


@pytest.fixture
def inverting(comfy):
    comfy.load(INVERSION)
    return comfy


def test_before_a_run_it_says_so(inverting):
    expect(inverting.view(NODE).get_by_text("Run to see how exact each step is.")).to_be_visible()


def test_residuals_and_errors_by_level(inverting):
    inverting.set_value(NODE, "method", "fixed point")
    inverting.set_value(NODE, "walk_back", True)
    (report,) = inverting.run()[str(inverting.node_id(NODE))]["inversion"]
    view = inverting.view(NODE)
    steps = len(report["sigmas"]) - 1
    expect(view.get_by_text(f"fixed point, {steps} steps up to sigma")).to_be_visible()
    expect(view.get_by_text("Sampling back misses the picture by")).to_be_visible()
    plot = view.get_by_role("slider")
    plot.focus()
    plot.press("Home")
    expect(plot).to_have_attribute("aria-valuetext", re.compile(r"^Level 0, sigma 0: missed on the way back [\d.e-]+$"))
    plot.press("ArrowRight")
    said = plot.get_attribute("aria-valuetext")
    shown = re.fullmatch(r"Level 1, sigma ([\d.]+): residual of the step ([\d.e-]+), missed on the way back ([\d.e-]+)", said)
    found = report["sigmas"][1], report["residuals"][0], report["missed"][-2]
    assert [float(value) for value in shown.groups()] == pytest.approx(found, rel=0.06)
    rows = view.locator("table tr").evaluate_all("(rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent))")
    assert rows[0] == ["level (0: the picture)", "residual of the step", "missed on the way back"]
    assert len(rows) == steps + 2 and [row[0] for row in rows[1:]] == [str(level) for level in range(steps + 1)]
    inverting.show(NODE)
    plot.hover()
    inverting.picture("inversion")


def test_a_method_that_measures_nothing_says_so(inverting):
    inverting.set_value(NODE, "method", "midpoint")
    inverting.set_value(NODE, "walk_back", False)
    inverting.run()
    view = inverting.view(NODE)
    expect(view.get_by_text("midpoint does not measure its steps.")).to_be_visible()
    expect(view.get_by_role("slider")).to_have_count(0)


def test_a_poor_inversion_is_said_to_be_one(inverting):
    inverting.set_value(NODE, "walk_back", True)
    inverting.set_value(NODE, "cfg", 7.5)
    (report,) = inverting.run()[str(inverting.node_id(NODE))]["inversion"]
    assert report["poor"]
    expect(inverting.view(NODE).locator("p.poor", has_text="Sampling alone will not bring the picture back.")).to_be_visible()
    inverting.show(NODE)
    inverting.picture("inversion_poor")
