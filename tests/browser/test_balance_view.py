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
    searching.show(NODE)
    plot.hover()
    searching.picture("balance")
