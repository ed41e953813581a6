"""The mask view by itself, on what the toy model cannot make: video, and several runs of one node for a list of inputs."""

import json

import numpy as np
import pytest
import torch
from playwright.sync_api import expect
from time_diffedit.diffedit_core.mask.heatmap import Heatmap
from time_diffedit.diffedit_core.mask.heatmap_file import heatmap_file
from time_diffedit.diffedit_core.mask.mask_rule import Area, MaskRule

from tools.comfyui.environment import ROOT

PACK = "http://pack.test"
SETTINGS = {"rule": "area", "rule.area": 30.0, "smooth": 0.0, "grow": 0, "fill_holes": False}
WORDS = json.loads((ROOT / "locales" / "en" / "main.json").read_text())["timeDiffEdit"]["mask"]
SHOW = """async ([pack, files, words]) => {
  const { create } = await import(`${pack}/diffedit/mask_view.mjs`)
  const properties = {}, values = (window.values = {})
  const face = {
    value: (name) => values[name], setValue: (name, value) => (values[name] = value),
    isLinked: () => false, onChange() {}, onSetting() {}, onPreview() {}, onProgress() {},
    setting: () => 60,
    property: (key) => properties[key], setProperty: (key, value) => (properties[key] = value),
    onResult: (callback) => callback({ heatmap: files.map((filename) => ({ filename })), picture: [] }),
    fileUrl: ({ filename }) => `${pack}/${filename}`,
    text: (key, values = {}) => words[key.slice(5)]?.replace?.(/\\{(\\w+)\\}/g, (_, name) => values[name]) ?? key,
  }
  const view = create(face)
  document.body.append(view.element)
  view.element.style.height = '500px'
}"""
SHOWN = """async () => {
  for (let i = 0; i < 3; i++) await new Promise((next) => requestAnimationFrame(next))
  const { shown } = document.querySelector('.time-diffedit-mask')
  return shown && { ...shown, cells: Array.from(shown.cells) }
}"""


@pytest.fixture
def show(blank_page):
    """Opens a page with the view of these heat maps, one file each."""
    page = blank_page

    def open_view(*heatmaps: Heatmap):
        files = {f"{i}.safetensors": heatmap_file(heatmap, SETTINGS) for i, heatmap in enumerate(heatmaps)}

        def serve(route):
            name = route.request.url.removeprefix(f"{PACK}/")
            path = ROOT / "web" / "js" / name
            if name in files:
                route.fulfill(body=files[name], content_type="application/octet-stream")
            else:
                kind = "text/javascript" if path.suffix == ".mjs" else "text/html"
                route.fulfill(body=path.read_text() if path.is_file() else "", content_type=kind)

        page.route(f"{PACK}/**", serve)
        page.goto(f"{PACK}/index.html")
        page.evaluate(SHOW, [PACK, list(files), WORDS])
        page.wait_for_function("() => document.querySelector('.time-diffedit-mask').shown")
        return page

    return open_view


def heat(*shape: int) -> Heatmap:
    return Heatmap(torch.rand(shape, generator=torch.Generator().manual_seed(sum(shape))), cell_frames=4)


def masked(heatmap: Heatmap) -> np.ndarray:
    return MaskRule(Area(30.0)).masked(heatmap)[1].numpy()


def test_frames_of_a_clip_are_turned_and_covered_together(show):
    heatmap = heat(1, 2, 3, 6, 5)
    page, expected = show(heatmap), masked(heatmap)
    assert page.get_by_text("1 / 3").is_visible() and page.get_by_text("1 / 2").is_visible()
    for name in ("Next frame", "Next frame", "Next picture"):
        page.get_by_role("button", name=name).click()
    shown = page.evaluate(SHOWN)
    assert (shown["shot"], shown["frame"]) == (1, 2) and shown["cells"] == expected[1].flatten().tolist()
    assert page.get_by_text(f"Masked: {100 * expected[1].mean():.1f} %").is_visible()
    assert page.get_by_role("img").get_attribute("aria-label").endswith("picture 2 of 2, frame 3 of 3")


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_stroke_is_of_the_frame_that_is_shown_or_of_all(show, everywhere):
    heatmap = heat(1, 2, 3, 6, 5)
    page = show(heatmap)
    for name in ("Next picture", "Next frame", "mask.touch.paint"):
        page.get_by_role("button", name=name).click()
    if everywhere:
        page.get_by_role("button", name="mask.touch.frames").click()
    page.get_by_role("application").click(position={"x": 5, "y": 5})
    shown, text = page.evaluate(SHOWN), page.evaluate("() => values.strokes")
    assert text.startswith("paint 2 " if everywhere else "paint 2.2 ")
    touched = MaskRule(Area(30.0), strokes=text).masked(heatmap)[1]
    assert shown["cells"] == touched[1].flatten().tolist()
    page.get_by_role("button", name="Previous frame").click()
    expect(page.get_by_text("mask.touch.one")).to_be_visible(visible=everywhere)


def test_several_files_are_pages_of_one_view(show):
    heatmaps = [heat(1, 2, 6, 5), heat(2, 1, 4, 8)]
    page = show(*heatmaps)
    expected = [*masked(heatmaps[0]), *masked(heatmaps[1])]
    for i, mask in enumerate(expected):
        assert page.evaluate(SHOWN)["cells"] == mask.flatten().tolist()
        assert page.get_by_text(f"{i + 1} / 3").is_visible()
        page.get_by_role("button", name="Next picture").click(force=True)
