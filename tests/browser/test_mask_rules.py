"""The rules that the browser computes mask the very cells that Python masks: no tolerance."""

import base64
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from comfy_page import PATIENCE
from time_diffedit.diffedit_core.mask.heat_colours import heat_colours
from time_diffedit.diffedit_core.mask.heatmap import Heatmap
from time_diffedit.diffedit_core.mask.heatmap_file import heatmap_file
from time_diffedit.diffedit_core.mask.mask_rule import RULES, MaskRule
from time_diffedit.diffedit_core.mask.strokes import ADD, ERASE, PAINT, REMOVE, UNIT, parse_strokes
from time_diffedit.nodes.shared.mask_rule_inputs import rule_from

from tools.comfyui.environment import ROOT

PACK = "http://pack.test"
JUDGE = """async ([module, cases]) => {
  const { Heatmap } = await import(`${module}/diffedit/heatmap.mjs`)
  const { maskedCells } = await import(`${module}/diffedit/mask_rules.mjs`)
  return cases.map(([file, settings]) => {
    const heatmap = new Heatmap(Uint8Array.from(atob(file), (c) => c.charCodeAt(0)).buffer)
    return Array.from({ length: heatmap.pictures }, (_, picture) => maskedCells(heatmap, picture, settings).join('')).join('')
  })
}"""
SHAPE = ("smooth", "grow", "fill_holes", "strokes")
SHAPES = [(1, 1, 8, 8), (1, 1, 7, 11), (2, 1, 12, 12), (1, 3, 9, 6), (3, 2, 5, 4), (1, 1, 1, 9), (1, 1, 1, 1), (1, 1, 40, 33)]
SHAPES += [(1, 1, 3, 6, 5), (2, 2, 4, 5, 7), (1, 1, 5, 1, 1)]


@pytest.fixture(scope="module")
def page(browser):
    """A page that can import the pack's modules, without a server."""

    def serve(route):
        path = ROOT / "web" / "js" / route.request.url.removeprefix(f"{PACK}/")
        kind = "text/javascript" if path.suffix == ".mjs" else "text/html"
        route.fulfill(body=path.read_text() if path.is_file() else "", content_type=kind)

    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.route(f"{PACK}/**", serve)
    page.goto(f"{PACK}/index.html")
    yield page
    page.close()


def heat_maps(random: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Heat maps of many kinds: smooth and scattered, with ties, even, almost black, in exact hundredths of their span."""
    noise = random.rand(*shape)
    rows, columns = np.mgrid[: shape[-2], : shape[-1]]
    middle = random.rand(2) * shape[-2:]
    blob = np.exp(-((rows - middle[0]) ** 2 + (columns - middle[1]) ** 2) / (1 + shape[-1]))
    hundredths = 1 + np.round(100 * (noise - noise.min()) / max(np.ptp(noise), 1e-9))
    ranks = 1.0 + noise.ravel().argsort().argsort().reshape(shape)  # an odd number splits equally well in two places
    kinds = [
        ranks,
        noise,
        noise**6,
        np.exp(3 * random.randn(*shape)),
        0.05 * noise + blob,
        np.round(4 * noise) / 4 + 0.25,
        np.round(3 * (0.2 * noise + blob)) + 1e-3,
        np.full(shape, 0.1 + random.rand()),
        (noise > 0.9) + 1e-4 * (noise == noise.max()),
        1e-3 * noise + (noise == noise.max()),
        hundredths,
        hundredths,
    ]
    heat = kinds[random.randint(len(kinds))]
    return (heat * random.choice([1, 1e-3, 0.0371, 250])).clip(2e-5).astype(np.float32)


def settings(random: np.random.RandomState, rule: str, values: np.ndarray) -> dict:
    """Settings of all kinds, with thresholds that lie exactly on values among them."""
    own = float(random.choice(values.ravel()))
    return {
        "rule": rule,
        "threshold_ratio": float(random.choice([3.0, 1.5, 1.0, 2.0, 0.1, 100.0, round(5 * random.rand() + 0.1, 1)])),
        "threshold": float(random.choice([0.5, 0.0, 1.0, 0.25, round(random.rand(), 2)])),
        "outliers": float(random.choice([2.0, 0.0, 99.0, 50.0, round(99 * random.rand(), 1)])),
        "level": float(random.choice([0.05, own, own * (1 + 1e-9), np.median(values), 2 * random.rand() + 1e-4])),
        "area_floor": float(random.choice([0.5, 0.0, 100.0, round(100 * random.rand(), 1)])),
        "area": float(random.choice([20.0, 0.1, 100.0, 50.0, round(100 * random.rand(), 1)])),
        "smooth": float(random.choice([0.0, 0.0, 0.7, 3.0])),
        "grow": int(random.choice([0, 0, 1, 2, 5, -1, -2, 64, -64])),
        "fill_holes": bool(random.randint(2)),
        "strokes": strokes(random, values.shape) if random.randint(2) else "",
    }


def strokes(random: np.random.RandomState, shape: tuple[int, ...]) -> str:
    """Up to five of all kinds on pictures of this shape, on the edges of pictures and beyond single cells, too."""

    def point() -> str:
        anywhere, corners = random.randint(0, UNIT + 1, 2), random.choice([0, UNIT // 2, UNIT], 2)
        return ",".join(map(str, anywhere if random.randint(4) else corners))

    def stroke() -> str:
        place = str(1 + random.randint(shape[1]))
        if len(shape) == 5 and random.randint(2):
            place += f".{1 + random.randint(shape[2])}"
        if random.randint(2):
            return f"{random.choice([ADD, REMOVE])} {place} {point()}"
        radius = random.choice([1, UNIT, 500, random.randint(1, 4000)])
        return " ".join([random.choice([PAINT, ERASE]), place, str(radius), *(point() for _ in range(random.randint(1, 6)))])

    return "; ".join(stroke() for _ in range(random.randint(1, 6)))


def in_browser(page, cases: list[tuple[bytes, dict]]) -> list[str]:
    return page.evaluate(JUDGE, [PACK, [(base64.b64encode(file).decode(), chosen) for file, chosen in cases]])


def rule_of(chosen: dict) -> MaskRule:
    """As the node is given the choice of a rule: with that rule's settings."""
    read = [field.name for field in fields(RULES[chosen["rule"]])]
    return rule_from({"rule": chosen["rule"]} | {name: chosen[name] for name in read}, **{name: chosen[name] for name in SHAPE})


def in_python(heatmap: Heatmap, chosen: dict) -> str:
    rule = rule_of(chosen)
    cells = rule.masked(rule.prepared(heatmap))[1]
    return "".join(map(str, cells.flatten().to(torch.uint8).tolist()))


def file_of(heatmap: Heatmap, chosen: dict) -> bytes:
    return heatmap_file(rule_of(chosen).prepared(heatmap), chosen)


@pytest.mark.parametrize("rule", RULES)
def test_the_browser_masks_the_same_cells(page, rule):
    random = np.random.RandomState(list(RULES).index(rule))
    cases = []
    for _ in range(60):
        for shape in SHAPES:
            heatmap = Heatmap(torch.from_numpy(heat_maps(random, shape)))
            cases.append((heatmap, settings(random, rule, heatmap.values.numpy())))
    found = in_browser(page, [(file_of(*case), case[1]) for case in cases])
    expected = [in_python(*case) for case in cases]
    wrong = [(case[0].values.shape, case[1]) for case, here, there in zip(cases, expected, found, strict=True) if here != there]
    assert not wrong, f"{len(wrong)} of {len(cases)}: {wrong[:3]}"
    assert sum(len({*cells}) == 2 for cells in expected) > len(cases) / 5  # there was something to compare


def test_one_file_follows_every_setting_but_smoothing(page):
    random = np.random.RandomState(9)
    heatmap = Heatmap(torch.from_numpy(random.rand(2, 2, 13, 9).astype(np.float32) ** 3))
    chosen = [settings(random, list(RULES)[i % len(RULES)], heatmap.values.numpy()) | {"smooth": 0.7} for i in range(100)]
    found = in_browser(page, [(file_of(heatmap, chosen[0]), one) for one in chosen])
    assert found == [in_python(heatmap, one) for one in chosen]


def test_the_browser_masks_the_same_pixels_along_edges(page):
    random = np.random.RandomState(4)
    heatmap = Heatmap(torch.from_numpy(heat_maps(random, (2, 1, 6, 5))), cell=4)
    picture = torch.rand(1, 24, 20, 3)
    cases = []
    for name in RULES:
        chosen = settings(random, name, heatmap.values.numpy()) | {"grow": 1}
        rule = replace(rule_of(chosen), reach=2)
        prepared = rule.prepared(heatmap, picture)
        cases.append((heatmap_file(prepared, chosen), chosen, rule.masked(prepared)[1]))
    found = in_browser(page, [case[:2] for case in cases])
    assert found == ["".join(map(str, pixels.flatten().to(torch.uint8).tolist())) for _, _, pixels in cases]
    assert all(len(pixels) == 24 * 20 for pixels in found) and any("1" in pixels and "0" in pixels for pixels in found)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 40), (37, 301), (1, 1)])
def test_the_browser_draws_strokes_on_the_same_cells_and_pixels(page, height, width):
    random = np.random.RandomState(height)
    heatmap = Heatmap(torch.from_numpy(random.rand(2, 2, height, width).astype(np.float32) ** 4 + 0.001))
    base = settings(random, "level", heatmap.values.numpy()) | {"smooth": 0.0, "level": 0.1, "grow": 0, "fill_holes": False}
    chosen = [base | {"strokes": strokes(random, heatmap.values.shape)} for _ in range(40)]
    found = in_browser(page, [(file_of(heatmap, one), one) for one in chosen])
    expected = [in_python(heatmap, one) for one in chosen]
    assert [here == there for here, there in zip(found, expected, strict=True)] == [True] * len(chosen)
    assert len(set(expected)) > (1 if height == 1 else 30)


def test_the_browser_reads_the_same_texts_as_strokes(page):
    random = np.random.RandomState(3)
    whole = [strokes(random, (1, 2, 3, 4, 4)) for _ in range(100)]
    pieces = [*"+-;,. x019", "paint", "add ", "10001", "; ", "\u0661", "\n", "\u2028"]
    broken = [
        text[: (at := random.randint(len(text)))] + random.choice(pieces) + text[at + random.randint(3) :] for text in whole
    ]
    texts = ["", " ", ";", *whole, *broken]
    read = """async ([module, texts]) => {
      const { parseStrokes, textOf } = await import(`${module}/diffedit/strokes.mjs`)
      return texts.map((text) => parseStrokes(text)).map((strokes) => strokes && [strokes.length, textOf(strokes)])
    }"""
    found = page.evaluate(read, [PACK, texts])
    expected = [parsed(text) for text in texts]
    assert [strokes and strokes[0] for strokes in found] == [None if strokes is None else len(strokes) for strokes in expected]
    assert 20 < expected.count(None) < 100
    assert [parsed(strokes[1]) for strokes in found if strokes] == [strokes for strokes in expected if strokes is not None]


def parsed(text: str) -> tuple | None:
    try:
        return parse_strokes(text)
    except ValueError:
        return None


def test_a_rule_reads_the_same_settings_in_both(page):
    read = page.evaluate("async (module) => (await import(`${module}/diffedit/mask_rules.mjs`)).SETTINGS_OF", PACK)
    assert read == {rule: [field.name for field in fields(kind)] for rule, kind in RULES.items()}


def test_the_file_says_what_it_was_made_with(page):
    chosen = settings(np.random.RandomState(0), "paper", np.ones((1, 2, 3, 4)))
    heatmap = Heatmap(torch.ones(2, 3, 4, 5, 6), cell=16, cell_frames=4)
    read = page.evaluate(
        """async ([module, file]) => {
          const { Heatmap } = await import(`${module}/diffedit/heatmap.mjs`)
          const h = new Heatmap(Uint8Array.from(atob(file), (c) => c.charCodeAt(0)).buffer)
          return [[h.pairs, h.pictures, h.frames, h.height, h.width, h.cell], h.settings, Array.from(h.colours)]
        }""",
        [PACK, base64.b64encode(heatmap_file(heatmap, chosen)).decode()],
    )
    assert read[0] == [2, 3, 4, 5, 6, 16] and read[1] == chosen
    colours = heat_colours(torch.arange(256) / 255).numpy()
    assert np.abs(np.reshape(read[2], (256, 3)) - 255 * colours).max() <= 0.5 + 1e-4
