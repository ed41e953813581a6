"""TIME Balance shows the share of pictures over lambda, what was taken, and what is doubtful."""

import re

import pytest
from comfy_page import NODES_2
from playwright.sync_api import expect

from tools.workflows.examples import balance_an_assumption

NODE = "TIMEBalance"
SEARCH = balance_an_assumption(pictures=2, probes=2, steps=2)


@pytest.fixture
def searching(comfy):
    api = {i: node for i, node in SEARCH.api().items() if node["class_type"] in (*LOADERS, NODE, "PreviewImage")}
    comfy.load(api)
    return comfy


LOADERS = ("CheckpointLoaderSimple", "CLIPLoader", "CLIPVisionLoader")


def test_before_a_run_it_says_so(searching):
    expect(searching.view(NODE).get_by_text("Run to see the share of pictures over lambda.")).to_be_visible()


def test_shares_over_lambda(searching):
    view = searching.view(NODE)
    # Of each plot that comes while it runs.
    view.locator("img").evaluate("(img) => { window.plots = []; img.onload = () => plots.push(img.hidden) }")
    (report,) = searching.run()[str(searching.node_id(NODE))]["balance"]
    expect(view.locator("img")).to_be_hidden()
    assert searching.renderer == NODES_2 or searching.page.evaluate("() => plots.length") >= 1
    share, margin = (round(100 * report["found"][name]) for name in ("share", "margin"))
    told = f"{share} ± {margin} % of the pictures show “a yellow rose”, by the curve through {report['pictures']}"
    expect(view.get_by_role("status")).to_contain_text(told)
    plot = view.get_by_role("slider")
    expect(plot).to_have_attribute("aria-label", re.compile(r"by lambda; \d measured, target 0.5$"))
    plot.focus()
    probes = sorted(report["measured"], key=lambda one: one["lamb"])
    for key, probe in zip(("Home", "ArrowRight"), probes, strict=False):
        plot.press(key)
        said = plot.get_attribute("aria-valuetext")
        shown = re.fullmatch(r"lambda ([\d.e]+): share ([\d.]+), (\d) of 2 pictures", said)
        assert [float(value) for value in shown.groups()] == pytest.approx(
            [probe["lamb"], probe["share"], probe["shown"]], rel=0.01
        )
    rows = view.locator("table tr").evaluate_all("(rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent))")
    assert rows[0] == ["lambda", "share", "wanted share"] and len(rows) == 1 + len(probes)
    warned = view.locator(".warning").count()
    assert warned == bool(report["out_of_reach"]) + bool(report["rise"])
    searching.show(NODE, zoom=0.8)  # the classic canvas shows every input: higher than the window
    plot.hover()
    searching.picture("balance")


@pytest.mark.parametrize(
    ("side", "label", "offered"),
    [("below", "a blue car", {"strength": 2.0, "lowest": 400}), ("above", "a rose", {"highest": 8e6})],
)
def test_what_brings_a_target_into_reach_is_one_click_away(searching, side, label, offered):
    opposite = "a rose" if side == "below" else "a blue car"
    for name, value in {"label": label, "opposite": opposite}.items():
        searching.set_value(NODE, name, value)
    (report,) = searching.run()[str(searching.node_id(NODE))]["balance"]
    assert report["out_of_reach"] == side
    buttons = searching.view(NODE).locator(".remedies").get_by_role("button")
    expect(buttons).to_have_count(len(offered))
    searching.picture(f"balance_out_of_reach_{side}")
    for name, value in offered.items():
        buttons.get_by_text(f"take {name}").click()
        assert searching.value(NODE, name) == pytest.approx(value)
    expect(buttons).to_have_count(0)
