"""`make demo`: run the example workflows through the real server and leave sheets, workflows and a table in demo-output/.

Settings come from the environment: CHECKPOINT, COMFYUI_PATH, COMFYUI_PYTHON, SOURCE, DESTINATION, IMAGE, LAMBDA, SEEDS, SIZE,
STEPS, CFG, PORT, CPU. With COMFYUI_PATH only the packages of tools/lock/client.txt are there: nothing here may need torch, and
the natural world's judge, which does, says nothing there.
"""

import json
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

from .comfyui.client import ComfyClient, WorkflowError, node_titled, saved
from .comfyui.environment import comfyui_python, prepare_client
from .comfyui.install import ROOT, SetupError, check_room
from .comfyui.server import ComfyServer
from .pictures.given import SIZE
from .pictures.sheets import grid
from .pictures.subject import PUBLISHED_STEPS, Subject, demo_picture, diffedit_graph, port, subject, time_graph
from .workflows.examples import EXAMPLES

OUTPUT = ROOT / "demo-output"
GIB = 2**30
LABEL_WIDTH = 28  # characters in a line beside a row
DIFFERENCE_GAIN = 10  # the difference picture shows the difference this many times
MORE_SHEETS = {  # file name: title, workflows, most pictures in a row
    "time_more_sheet": (
        "TIME: three edits at once, on the text, scheduled",
        ("time_several_edits", "time_edited_conditioning", "time_scheduled_edit"),
        4,
    ),
    "diffedit_more_sheet": (
        "DiffEdit: a TIME edit of a given picture; other rules, inversions and samplers",
        ("time_edit_of_a_picture", "diffedit_advanced"),
        6,
    ),
}


Judge = Callable[[list[np.ndarray]], list[str]]


def time_sheet(client: ComfyClient, what: Subject, judge: Judge | None) -> tuple[Image.Image, dict]:
    kinds = [("source", what.source), ("destination", what.destination)]
    kinds += [("related", prompt) for prompt in what.related] + [("unrelated", prompt) for prompt in what.unrelated]
    rows, measured, seconds = [], [], 0.0
    for number, (kind, prompt) in enumerate(kinds, 1):
        graph = time_graph(what, prompt).api()
        result = client.run(graph, f"TIME {number}/{len(kinds)} {prompt!r}")
        before, after = (saved(client, graph, result, f"Pictures {when} the edit") for when in ("before", "after"))
        seconds += result.seconds
        rows.append((f"{kind}\n{textwrap.fill(prompt, LABEL_WIDTH)}", [*before, None, *after]))
        entry: dict[str, object] = {"kind": kind, "prompt": prompt}
        if judge:
            entry |= {"before": judge(before), "after": judge(after)}
        entry["mean_change"] = float(np.mean([np.abs(a - b).mean() for a, b in zip(before, after, strict=True)]))
        measured.append(entry)
    columns = [f"before {i + 1}" for i in range(what.seeds)] + [""] + [f"after {i + 1}" for i in range(what.seeds)]
    title = f"TIME: {what.source!r} -> {what.destination!r}, lambda {what.lamb:g}; equal columns, equal seeds"
    return grid(title, rows, columns), {"prompts": measured, "seconds": seconds}


def judge_of(what: Subject) -> Judge | None:
    """What the natural world's judge sees in each picture, left to right; None of other subjects, and where it cannot run."""
    if not what.is_natural or what.size != SIZE or not find_spec("torch"):
        return None
    from naturalworld.judge import load_judge

    read = load_judge()

    def judge(pictures: list[np.ndarray]) -> list[str]:
        return [
            " + ".join(" ".join(filter(None, (one.colour, one.noun))) for one in verdict.found) or "nothing"
            for verdict in read(np.stack(pictures))
        ]

    return judge


def diffedit_sheet(client: ComfyClient, server: ComfyServer, what: Subject, judge: Judge | None) -> tuple[Image.Image, dict]:
    path, truth = demo_picture(what, server.folder)
    name = client.upload_image(path)
    graph = diffedit_graph(what, name)
    original, edited = (node_titled(graph.api(), title) for title in ("Encode", "3. Repaint inside the mask"))
    for which, node_id in (("original", original), ("edited", edited)):
        graph.add("SaveLatent", f"Save the {which} latent", samples=[node_id, 0], filename_prefix=which)
    api = graph.api()
    result = client.run(api, f"DiffEdit {what.picture_shows!r} -> {what.picture_shall_show!r}")
    heatmap, *_ = saved(client, api, result, "1. Where to edit")
    (mask,) = saved(client, api, result, "Mask")
    (picture,) = saved(client, api, result, "Edited picture")
    (roundtrip,) = saved(client, api, result, "Original through the VAE")
    (pasted,) = saved(client, api, result, "Edited inside the mask, untouched outside")
    given = np.asarray(Image.open(path).convert("RGB"), np.float32) / 255
    given = centre_crop(given, picture.shape)
    outside = mask[..., :1] < 0.5
    difference = np.abs(picture - roundtrip) * outside
    latents = {
        which: load_file(next((server.folder / "output").glob(f"{which}*.latent")))["latent_tensor"]
        for which in ("original", "edited")
    }
    rows, columns = latents["original"].shape[-2:]
    in_cells = outside.reshape(rows, mask.shape[0] // rows, columns, mask.shape[1] // columns)
    latent_outside = in_cells.all((1, 3))  # cells that the mask does not touch
    latent_error = np.abs(latents["edited"] - latents["original"])[..., latent_outside]
    measured = {
        "source": what.picture_shows,
        "target": what.picture_shall_show,
        "mask_coverage": float(mask.mean()),
        "latent_error_outside_mask": float(latent_error.max(initial=0.0)),
        "picture_psnr_outside_mask": psnr(picture, given, outside),
        "encode_decode_psnr_outside_mask": psnr(roundtrip, given, outside),
        "seconds": result.seconds,
    }
    if truth is not None:
        chosen = mask[..., 0] >= 0.5
        measured["mask_iou"] = float((chosen & truth).sum() / (chosen | truth).sum())
    if judge:
        (measured["edited_object"],) = judge([picture])
    titles = ["input", "heat map", "mask", "edited", f"difference outside x{DIFFERENCE_GAIN}", "pasted over the input"]
    pictures = [given, heatmap, mask, picture, difference * DIFFERENCE_GAIN, pasted]
    label = "\n".join(textwrap.fill(text, LABEL_WIDTH) for text in (what.picture_shows, f"-> {what.picture_shall_show}"))
    steps = "" if what.diffedit_steps == PUBLISHED_STEPS else f", {what.diffedit_steps} steps"
    return grid(f"DiffEdit, its recommended mask{steps}", [(label, pictures)], titles, side=256), measured


def template_sheet(client: ComfyClient, title: str, names: tuple[str, ...], columns: int) -> Image.Image:
    """All pictures that these templates save on the natural world, a row for each saving node."""
    rows = []
    for example in names:
        api = EXAMPLES[example].for_natural_world().api()
        result = client.run(api, title)
        for node in api.values():
            name = node.get("_meta", {}).get("title", "")
            if node["class_type"] == "SaveImage":
                pictures = saved(client, api, result, name)
                label = textwrap.fill(name.removeprefix("Pictures "), 24)
                rows.append((label, pictures + [None] * (columns - len(pictures))))
    return grid(title, rows, [str(i + 1) for i in range(columns)])


def centre_crop(pixels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """As the host's VAE Encode crops to a multiple of its cell."""
    top, left = (pixels.shape[0] - shape[0]) // 2, (pixels.shape[1] - shape[1]) // 2
    return pixels[top : top + shape[0], left : left + shape[1]]


def psnr(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> float:
    error = ((a - b) ** 2)[np.broadcast_to(where, a.shape)]
    return float(-10 * np.log10(max(error.mean(), 1e-12))) if error.size else float("inf")


def table(what: Subject, time_measured: dict, edit_measured: dict) -> str:
    lines = [f"TIME  {what.source!r} -> {what.destination!r}  lambda {what.lamb:g}"]
    widest = max(len(row["prompt"]) for row in time_measured["prompts"])
    for row in time_measured["prompts"]:
        judged = f"  {', '.join(row['before'])}  ->  {', '.join(row['after'])}" if "before" in row else ""
        lines.append(f"  {row['kind']:<12}{row['prompt']:<{widest}} mean change {row['mean_change']:.3f}{judged}")
    lines.append("DiffEdit")
    for name, value in edit_measured.items():
        lines.append(
            f"  {name.replace('_', ' '):<34}{value:.4g}"
            if isinstance(value, float)
            else f"  {name.replace('_', ' '):<34}{value}"
        )
    return "\n".join(lines)


def write_workflows(client: ComfyClient, what: Subject) -> None:
    info, folder = client.object_info(), OUTPUT / "workflows"
    folder.mkdir()
    graphs = {
        "time_edit_model": time_graph(what, what.source),
        "diffedit": diffedit_graph(what),
    }
    for name, graph in graphs.items():
        (folder / f"{name}.api.json").write_text(json.dumps(graph.api(), indent=2))
        (folder / f"{name}.ui.json").write_text(json.dumps(graph.ui(info), indent=2))


def run() -> None:
    started = time.monotonic()
    what = subject()
    comfyui, models = prepare_client()
    check_room(ROOT, GIB // 2)
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    folder = models / "checkpoints" if what.is_natural else Path(os.environ["CHECKPOINT"]).absolute().parent
    arguments = ("--cpu",) if what.is_natural or os.environ.get("CPU") else ()
    judge = judge_of(what)
    print(f"Starting ComfyUI from {comfyui} …", flush=True)
    with ComfyServer(comfyui, comfyui_python(comfyui), port(), arguments, [folder]) as server:
        client = ComfyClient(server.url)
        edit_picture, edit_measured = diffedit_sheet(client, server, what, judge)
        edit_picture.save(OUTPUT / "diffedit_sheet.png")
        time_picture, time_measured = time_sheet(client, what, judge)
        time_picture.save(OUTPUT / "time_sheet.png")
        if what.is_natural:
            for name, (title, examples, columns) in MORE_SHEETS.items():
                template_sheet(client, title, examples, columns).save(OUTPUT / f"{name}.png")
        write_workflows(client, what)
    text = table(what, time_measured, edit_measured)
    (OUTPUT / "results.txt").write_text(text + "\n")
    (OUTPUT / "results.json").write_text(json.dumps({"time": time_measured, "diffedit": edit_measured}, indent=2))
    print(f"\n{text}\n\nDone in {time.monotonic() - started:.0f} s. Look at:")
    for path in sorted(OUTPUT.rglob("*.*")):
        print(f"  {path.relative_to(ROOT)}")


def main() -> int:
    try:
        run()
    except (SetupError, WorkflowError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; the server is stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
