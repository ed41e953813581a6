"""`make help-pictures`: what settings do, drawn by the natural world's model through the real server, for the help pages.

One small sheet for each page that has one, in web/docs/images/. ONLY=trajectory,composite makes these alone. What needs a CLIP
that judges or a BLIP that captions is drawn by the toy world's models, which has them.
"""

import os
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from toyworld.world import Scene, draw

from time_core.balance.plot import plot
from time_core.balance.search import Probe, Search

from ..comfyui.client import ComfyClient, Result, node_titled, saved
from ..comfyui.environment import HOST, ROOT, comfyui_python, prepare
from ..comfyui.server import ComfyServer
from ..workflows.examples import (
    BLUE_ROSE,
    EXAMPLE_PICTURE,
    EXAMPLES,
    NATURAL_CHECKPOINT,
    RED_ROSE,
    balance_an_assumption,
    captioned_diffedit,
    diffedit,
    diffedit_advanced,
    edited_conditioning,
    scheduled_edit,
    several_edits,
    time_edit,
)
from ..workflows.examples.shared import mask_preset
from ..workflows.workflow import Choice, Graph, flat, is_link
from .given import PICTURE, given_pixels
from .sheets import GAP, INK, MUTED, PAPER, to_image

FOLDER = ROOT / "web" / "docs" / "images"
SIDE = 96
IN_A_ROW = 3  # the browser's help panel is narrow
TEXT = 13
COLOURS = 160  # of a sheet's palette, so that it stays small
DIFFERENCE_GAIN = 10
BALANCE_PLOT = 220  # pixels high

BEFORE, AFTER = "Pictures before the edit", "Pictures after the edit"


class Stage:
    """The running server, with the natural world's picture where the workflows load theirs."""

    def __init__(self, server: ComfyServer):
        self.client = ComfyClient(server.url)
        self.given = given_pixels()
        self.client.upload_image(PICTURE, EXAMPLE_PICTURE)

    def give(self, pixels: np.ndarray) -> None:
        """Put another picture there."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / EXAMPLE_PICTURE
            Image.fromarray((pixels * 255).round().astype(np.uint8)).save(path)
            self.client.upload_image(path)

    def run(self, graph: Graph, *titles: str) -> Callable[[str], list[np.ndarray]]:
        """Run what the nodes of these titles need; gives the pictures of each."""
        api = only(graph.api(), titles)
        result = self.client.run(api, titles[0])
        return lambda title: saved(self.client, api, result, title)

    def one(self, graph: Graph, title: str) -> np.ndarray:
        return self.run(graph, title)(title)[0]

    def text(self, graph: Graph, title: str) -> str:
        api = only(graph.api(), [title])
        result: Result = self.client.run(api, title)
        return result.outputs[node_titled(api, title)]["text"][0]


def only(api: dict, titles: Iterable[str]) -> dict:
    """The nodes of these titles and all that they depend on."""
    keep, waiting = set(), [node_titled(api, title) for title in titles]
    while waiting:
        node_id = waiting.pop()
        keep.add(node_id)
        waiting += [value[0] for value in api[node_id]["inputs"].values() if is_link(value)]
    return {node_id: node for node_id, node in api.items() if node_id in keep}


def having(graph: Graph, title: str, **inputs) -> Graph:
    """The graph with other values on one node."""
    graph.nodes[node_titled(graph.api(), title)]["inputs"] |= flat(inputs)
    return graph


def tiles(title: str, rows: list[tuple[str, list]], columns: list[str]) -> Image.Image:
    """`rows` of pictures under their headings, each picture under its column's word, broken into a narrow sheet."""
    font, bold = ImageFont.load_default(size=TEXT), ImageFont.load_default(size=TEXT + 2)
    width = IN_A_ROW * (SIDE + GAP) + GAP
    sheet = Image.new("RGB", (width, 4000), PAPER)
    pen = ImageDraw.Draw(sheet)
    y = GAP

    def line(text: str, at: int, colour, font) -> int:
        pen.text((at, y), text, colour, font)
        return TEXT + GAP

    for part in textwrap.wrap(title, 38):
        y += line(part, GAP, INK, bold)
    for heading, pictures in rows:
        y += line(heading, GAP, INK, font) if heading else 0
        for first in range(0, len(pictures), IN_A_ROW):
            here = list(zip(columns, pictures, strict=True))[first : first + IN_A_ROW]
            for i, (word, _) in enumerate(here):
                line(word, GAP + i * (SIDE + GAP), MUTED, font)
            y += TEXT + GAP
            for i, (_, picture) in enumerate(here):
                sheet.paste(to_image(picture, SIDE), (GAP + i * (SIDE + GAP), y))
            y += SIDE + GAP
    return sheet.crop((0, 0, width, y))


def rose_edit(prompt: str, lamb: float = 0.1) -> Graph:
    return time_edit(NATURAL_CHECKPOINT, prompt=prompt, batch=1, lamb=lamb)


def time_lambda(stage: Stage) -> Image.Image:
    lambdas = (0.1, 100, 10_000, 100_000, 1_000_000)
    rows = []
    for prompt in ("a rose on grass", "a heart"):
        before = stage.one(rose_edit(prompt), BEFORE)
        after = [stage.one(rose_edit(prompt, value), AFTER) for value in lambdas]
        rows.append((prompt, [before, *after]))
    return tiles("a rose -> a blue rose, by lambda", rows, ["unedited", *(f"{value:,g}" for value in lambdas)])


def time_strength(stage: Stage) -> Image.Image:
    strengths = (-1, 0, 0.5, 1, 1.5, 2)

    def graph(value: float) -> Graph:
        return having(rose_edit("a rose on grass"), "Edit what the model assumes", strength=value)

    pictures = [stage.one(graph(value), AFTER) for value in strengths]
    title = "a rose -> a blue rose, by strength"
    return tiles(title, [("a rose on grass", pictures)], [f"{value:g}" for value in strengths])


def time_several(stage: Stage) -> Image.Image:
    things = ("rose", "car", "frog", "house")
    edits = EXAMPLES["time_several_edits"].natural or {}

    def graph(thing: str) -> Graph:
        return several_edits(NATURAL_CHECKPOINT, **edits, prompt=f"a {thing} on grass", batch=1)

    runs = [stage.run(graph(thing), "Pictures before", "Pictures after") for thing in things]
    rows = [(when, [run(f"Pictures {when}")[0] for run in runs]) for when in ("before", "after")]
    return tiles("blue roses, green cars and purple frogs; houses are kept", rows, list(things))


def time_conditioning(stage: Stage) -> Image.Image:
    rows = []
    for way in ("with edited weights", "with edited text"):
        title = f"Pictures {way}"
        rows.append((way, stage.run(edited_conditioning(NATURAL_CHECKPOINT, batch=3), title)(title)))
    return tiles("a rose -> a blue rose, the same seeds", rows, [f"seed {i + 1}" for i in range(3)])


def time_hook(stage: Stage) -> Image.Image:
    ends = (0.1, 0.2, 0.3, 0.5, 1.0)
    without, scheduled = "Pictures without the edit", "Pictures with the scheduled edit"
    pictures = [stage.one(scheduled_edit(NATURAL_CHECKPOINT, batch=1), without)]
    pictures += [stage.one(scheduled_edit(NATURAL_CHECKPOINT, batch=1, until=end), scheduled) for end in ends]
    columns = ["never", *(f"{end:.0%}" for end in ends)]
    return tiles("The edit acts from the start until …", [("a rose on sand", pictures)], columns)


def time_balance(stage: Stage) -> Image.Image:
    """Of the toy world, which has a CLIP that judges."""
    count, judged = 6, "The pictures that were judged"
    api = only(balance_an_assumption(pictures=count, probes=8, lowest=1e3, highest=1e6).api(), [judged])
    result = stage.client.run(api, judged)
    (report,) = result.outputs[node_titled(api, "Hold the edit in balance")]["balance"]
    search = Search(**{item.name: report[item.name] for item in fields(Search)})
    probes = [Probe(one["lamb"], (one["shown"],), (one["pictures"],)) for one in report["measured"]]
    pictures = saved(stage.client, api, result, judged)
    below = tiles(
        f"The pictures nearest to lambda {report['found']['lamb']:.3g}",
        [("", pictures)],
        [f"seed {i + 1}" for i in range(count)],
    )
    above = plot(search, probes, below.width, BALANCE_PLOT)
    sheet = Image.new("RGB", (below.width, above.height + below.height), PAPER)
    sheet.paste(above, (0, 0))
    sheet.paste(below, (0, above.height))
    return sheet


def rose_repainted(target: str = BLUE_ROSE) -> Graph:
    return diffedit(NATURAL_CHECKPOINT, source=RED_ROSE, target=target)


def sunflower_instead() -> Graph:
    return EXAMPLES["diffedit_advanced"].for_natural_world()


def diffedit_rules(stage: Stage) -> Image.Image:
    paper = Choice("paper", {"outliers": 2.0, "threshold": 0.5})
    rules = (
        Choice("mean ratio", {"threshold_ratio": 3.0, "threshold": 0.5}),
        paper,
        Choice("level", {"level": 0.05}),
        Choice("otsu", {"area_floor": 0.5}),
        Choice("area", {"area": 20.0}),
    )
    step, in_cells = "1. Where to edit", mask_preset("published")

    def mask(target: str, **inputs) -> np.ndarray:
        return stage.one(having(rose_repainted(target), step, **inputs), "Mask")

    rows = []
    for target, strength in ((BLUE_ROSE, 0.5), ("a sunflower on grass", 0.75)):
        first = stage.run(having(rose_repainted(target), step, **{**in_cells, "noise_strength": strength}), "Mask")
        heat, *_ = first(step)
        masks = [mask(target, **{**in_cells, "noise_strength": strength, "rule": rule}) for rule in rules]
        edges = mask(target, **{**mask_preset("recommended"), "noise_strength": strength})
        rows.append((f"{target}, noise_strength {strength:g}", [heat, *masks, edges]))
    columns = ["heat map", *(rule.option for rule in rules), "paper, edges"]
    return tiles(f"What would change {RED_ROSE} into …", rows, columns)


def heatmap_to_mask(stage: Stage) -> Image.Image:
    thresholds = (0.2, 0.5, 0.8)
    node = "Then try rules without the model"

    def graph() -> Graph:
        return having(
            diffedit_advanced(NATURAL_CHECKPOINT, source=RED_ROSE, target=BLUE_ROSE), "Contrast once", noise_strength=0.5
        )

    def mask(threshold: float, **inputs) -> np.ndarray:
        rule = Choice("mean ratio", {"threshold_ratio": 3.0, "threshold": threshold})
        return stage.one(having(graph(), node, rule=rule, **inputs), "Mask")

    rows = [
        ("as it comes", [mask(threshold=value, grow=0, smooth=0.0, fill_holes=False) for value in thresholds]),
        ("fill_holes, smooth 0.5", [mask(threshold=value, grow=0, smooth=0.5, fill_holes=True) for value in thresholds]),
    ]
    return tiles("a red rose -> a blue rose, by threshold", rows, [f"{value:g}" for value in thresholds])


def trajectory(stage: Stage) -> Image.Image:
    title = "The way, from noise to picture"
    states = stage.run(sunflower_instead(), title)(title)
    return tiles(
        "The states of an inversion, decoded", [("", states)], ["noise", *(f"state {i}" for i in range(2, 6)), "picture"]
    )


def masked_latent_sample(stage: Stage) -> Image.Image:
    starts = (0.4, 0.6, 0.8, 1.0)
    mask = stage.one(rose_repainted(), "Mask")

    def edited(**inputs) -> np.ndarray:
        return stage.one(having(rose_repainted(), "3. Repaint inside the mask", **inputs), "Edited picture")

    rows = [("a red rose -> a blue rose", [stage.given, mask, *(edited(start=value) for value in starts)])]
    return tiles("By start", rows, ["picture", "mask", *(f"{value:g}" for value in starts)])


def composite(stage: Stage) -> Image.Image:
    decoded, pasted = "Edited picture", "Edited inside the mask, untouched outside"
    run = stage.run(rose_repainted(), decoded, pasted, "Mask")
    outside = run("Mask")[0] < 0.5
    rows = []
    for label, title in (("decoded", decoded), ("composite", pasted)):
        difference = np.abs(run(title)[0] - stage.given) * outside * DIFFERENCE_GAIN
        rows.append((label, [run("Mask")[0], run(title)[0], difference]))
    columns = ["mask", "result", f"outside x{DIFFERENCE_GAIN}"]
    return tiles("What changed outside the mask", rows, columns)


def captions(stage: Stage) -> Image.Image:
    """Of the toy world, which has a BLIP."""
    rows = []
    for scene in (Scene("rose", "red"), Scene("car", "green"), Scene("star", "purple")):
        pixels = draw(np.random.RandomState(3), scene).pixels
        stage.give(pixels)
        rows.append((stage.text(captioned_diffedit(), "The caption"), [pixels]))
    stage.give(stage.given)
    return tiles("Captions by the toy world's BLIP", rows, [""])


SHEETS = {
    "time_lambda": time_lambda,
    "time_strength": time_strength,
    "time_several": time_several,
    "time_conditioning": time_conditioning,
    "time_hook": time_hook,
    "time_balance": time_balance,
    "diffedit_rules": diffedit_rules,
    "heatmap_to_mask": heatmap_to_mask,
    "trajectory": trajectory,
    "masked_latent_sample": masked_latent_sample,
    "composite": composite,
    "captions": captions,
}


def main() -> int:
    comfyui = prepare()
    checkpoints = HOST / "ComfyUI" / "models" / "checkpoints"
    wanted = os.environ.get("ONLY", "").split(",") if os.environ.get("ONLY") else list(SHEETS)
    with ComfyServer(comfyui, comfyui_python(comfyui), checkpoint_folders=[checkpoints]) as server:
        stage = Stage(server)
        for name in wanted:
            path = FOLDER / f"{name}.png"
            SHEETS[name](stage).quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
            print(f"wrote {path.relative_to(ROOT)} ({path.stat().st_size // 1024} kB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
