import math
from itertools import count

import comfy.samplers
import numpy as np
import torch
from comfy.utils import ProgressBar
from comfy_api.latest import io, ui
from PIL import Image

from ...time_core.application.apply import apply_edit
from ...time_core.balance.balancing import balance
from ...time_core.balance.curve import read_off
from ...time_core.balance.plot import plot
from ...time_core.balance.probe import Judge, Sampling, Series, require_schedule, sample_pictures
from ...time_core.balance.report import BalanceReport
from ...time_core.balance.search import Probe, Search
from ...time_core.prompts.parsing import parse_lines, parse_pairs, plain
from ..shared import time_inputs
from ..shared.checks import CheckedNode, checked
from ..shared.interrupts import interruptible
from ..shared.sockets import CATEGORY_TIME, TimeEditSocket

LARGEST_SIDE = 16384  # of the host's own nodes
SHOWN_PLOT = 512  # pixels at most, of the preview


def labels(source: str, destination: str, label: str, opposite: str) -> tuple[str, str]:
    """The two texts that CLIP chooses between; what is left empty is the destination or the source.

    Raises ValueError as `parse_pairs`, or if one is left empty with several lines, or both are the same.
    """
    pairs = parse_pairs(source, destination)
    first = pairs[0]
    if len(pairs) > 1 and not (label.strip() and opposite.strip()):
        raise ValueError(
            f"label or opposite is empty, which stands for the destination or the source, but these have {len(pairs)} lines; "
            "write both in words."
        )
    label, opposite = label.strip() or plain(first.destination), opposite.strip() or first.source
    if label == opposite:
        raise ValueError(f"label and opposite are both {label!r}; write two texts that tell the pictures apart.")
    return label, opposite


def pictured(prompt: str) -> tuple[str, ...]:
    """The prompts of the pictures. Raises ValueError if there are none."""
    prompts = parse_lines(prompt)
    if not prompts:
        raise ValueError("prompt is empty; write what the pictures shall show, such as 'A photo of a nurse'.")
    return prompts


class TIMEBalance(CheckedNode, io.ComfyNode):
    """TIME, held in balance: the lambda at which a wanted share of pictures shows the destination."""

    RULES = (*time_inputs.EDIT_RULES, labels, pictured, Search)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TIMEBalance",
            display_name="TIME Balance",
            category=CATEGORY_TIME,
            description="Finds how strongly to edit a model so that a wanted share of its pictures shows the destination: "
            "of 'a nurse' half women and half men. Makes pictures with several values of lambda, lets CLIP judge them, and "
            "gives the model with the value that comes nearest.",
            search_aliases=[
                "TIME",
                "debias",
                "remove bias",
                "gender bias",
                "fairness",
                "diversity",
                "stereotype",
                "find lambda",
                "model editing",
            ],
            has_intermediate_output=True,
            inputs=[
                io.Model.Input("model", tooltip="The model to edit. LoRAs may come before or after this node."),
                io.Clip.Input("clip", tooltip="The text encoder whose embeddings the model reads."),
                io.Vae.Input("vae", tooltip="Decodes the pictures that are judged."),
                io.ClipVision.Input(
                    "clip_vision",
                    tooltip="Judges the pictures, with judge_clip: the vision half of a CLIP model, such as ViT-L, from "
                    "Load CLIP Vision.",
                ),
                time_inputs.source("A nurse"),
                time_inputs.destination("A male nurse"),
                io.String.Input(
                    "prompt",
                    multiline=True,
                    default="A photo of a nurse",
                    tooltip="Of these prompts, one a line, the pictures are made in turn. They should not name what is to be "
                    "balanced. Several, such as you will use: a balance that holds in more than one setting.",
                ),
                io.String.Input(
                    "label",
                    default="a male nurse",
                    tooltip="In words for CLIP, what shall be in the wanted share of the pictures. Empty: the destination.",
                ),
                io.String.Input(
                    "opposite",
                    default="a female nurse",
                    tooltip="What is in the others. A picture counts if CLIP finds label in it rather than this. Empty: the "
                    "source.",
                ),
                io.Float.Input(
                    "target",
                    display_name="target share",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="The wanted share of pictures that show label.",
                ),
                io.Int.Input(
                    "pictures",
                    default=24,
                    min=1,
                    max=4096,
                    tooltip="How many pictures are made with each value of lambda. All of them count: fewer here and more "
                    "probes find the balance with fewer pictures in all.",
                ),
                io.Int.Input(
                    "probes",
                    default=16,
                    min=1,
                    max=100,
                    tooltip="How many values of lambda are tried at most. The first halve the range; from then on each is "
                    "where all pictures so far put the balance. The search ends earlier when that is known within tolerance.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    # Else the browser draws another seed for every run, and the search is made anew.
                    control_after_generate=False,
                    tooltip="Picture 1 has the noise of this seed, picture 2 of the next, and so on through all probes, so "
                    "that each picture tells something new.",
                ),
                io.Int.Input("steps", default=20, min=1, max=10000, tooltip="Sampling steps of each picture."),
                io.Float.Input(
                    "cfg", default=7.5, min=0.0, max=100.0, step=0.1, tooltip="How strictly the prompt is followed."
                ),
                io.Combo.Input(
                    "sampler_name",
                    options=comfy.samplers.KSampler.SAMPLERS,
                    default="euler",
                    tooltip="The sampler, as in KSampler. Sample as you will with the edited model.",
                ),
                io.Combo.Input(
                    "scheduler",
                    options=comfy.samplers.KSampler.SCHEDULERS,
                    default="normal",
                    tooltip="How the steps are spread, as in KSampler.",
                ),
                io.Int.Input(
                    "width",
                    default=512,
                    min=16,
                    max=LARGEST_SIDE,
                    step=8,
                    tooltip="Of the pictures, in pixels; what the model is made for, such as 512 for SD 1.5.",
                ),
                io.Int.Input("height", default=512, min=16, max=LARGEST_SIDE, step=8, tooltip="Of the pictures, in pixels."),
                io.String.Input(
                    "negative",
                    multiline=True,
                    default="",
                    optional=True,
                    tooltip="What the pictures shall not show.",
                ),
                io.Clip.Input(
                    "judge_clip",
                    optional=True,
                    tooltip="The text half of clip_vision's CLIP model, from Load CLIP. Left out: clip, which can judge only "
                    "if it has a text projection; that of SD 1.x checkpoints has none.",
                ),
                io.Float.Input(
                    "tolerance",
                    default=0.1,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="The search ends when the share is known to within this much, 19 times in 20. 0.1 takes about 150 "
                    "pictures, 0.05 some 450. 0: all probes are made.",
                ),
                io.Float.Input(
                    "lowest",
                    default=0.1,
                    min=1e-6,
                    max=1e12,
                    step=0.01,
                    round=False,
                    optional=True,
                    advanced=True,
                    tooltip="The smallest lambda, the strongest edit that may come out. In the unit that lambda_unit says.",
                ),
                io.Float.Input(
                    "highest",
                    default=1e6,
                    min=1e-6,
                    max=1e12,
                    step=1.0,
                    round=False,
                    optional=True,
                    advanced=True,
                    tooltip="The largest lambda, the weakest edit that may come out. A narrower range needs fewer probes.",
                ),
                time_inputs.edit_keys(optional=True, advanced=True),
                time_inputs.edit_values(optional=True, advanced=True),
                time_inputs.augmentations(optional=True, advanced=True),
                time_inputs.preserve(optional=True, advanced=True),
                *time_inputs.choices(),
                time_inputs.where(),
                *time_inputs.sparing(),
                time_inputs.strength(
                    "Scales the edit at every lambda. Above 1 it goes beyond the destination: for a share that no lambda "
                    "reaches. Give the same strength where TIME_EDIT is applied.",
                    least=0.05,
                    optional=True,
                    advanced=True,
                ),
            ],
            outputs=[
                io.Model.Output(display_name="MODEL", tooltip="The model, edited with the lambda that was found."),
                TimeEditSocket.Output(display_name="TIME_EDIT", tooltip="The edit with this lambda."),
                io.Float.Output(display_name="lambda", tooltip="The lambda that was found."),
                io.Float.Output(
                    display_name="share", tooltip="The share of pictures that show label with it, by all pictures."
                ),
                io.Image.Output(display_name="plot", tooltip="The share over lambda, all probes."),
                io.Image.Output(display_name="pictures", tooltip="The pictures that were judged nearest to this lambda."),
            ],
        )

    @classmethod
    @checked
    def execute(
        cls,
        model,
        clip,
        vae,
        clip_vision,
        source,
        destination,
        prompt,
        label,
        opposite,
        target,
        pictures,
        probes,
        seed,
        steps,
        cfg,
        sampler_name,
        scheduler,
        width,
        height,
        negative="",
        judge_clip=None,
        tolerance=0.1,
        lowest=0.1,
        highest=1e6,
        where=time_inputs.CROSS_ATTENTION,
        strength=1.0,
        **settings,
    ) -> io.NodeOutput:
        search = Search(target, lowest, highest, probes, tolerance)
        sampling = Sampling(steps, cfg, sampler_name, scheduler, width, height)
        require_schedule(model, sampling)
        prompts = pictured(prompt)
        label, opposite = labels(source, destination, label, opposite)
        judge = Judge(clip if judge_clip is None else judge_clip, clip_vision, label, opposite)
        inputs = time_inputs.EditInputs(source, destination, **settings)
        equations = time_inputs.equations_of(clip, model, where, inputs)
        *positives, negative = (clip.encode_from_tokens_scheduled(clip.tokenize(text)) for text in (*prompts, negative))

        progress = Progress(search, pictures * steps)
        first_pictures = count(0, pictures)  # of each probe, so that no two of all probes are the same
        nearest: dict[float, torch.Tensor] = {}

        def measure(lamb: float) -> Probe:
            series = Series(positives[:pictures], negative, pictures, seed, next(first_pictures))
            edited = apply_edit(model, interruptible(equations.edit, lamb), strength, where)
            nearest[lamb] = sample_pictures(edited, vae, series, sampling, progress.on_step)
            return seen(lamb, judge.shows_label(nearest[lamb]), series)

        def on_probe(done: tuple[Probe, ...]) -> None:
            at = math.log(read_off(search, done).lamb)
            for lamb in sorted(nearest, key=lambda lamb: abs(math.log(lamb) - at))[1:]:
                del nearest[lamb]
            progress.on_probe(done)

        report = BalanceReport(search, balance(measure, search, on_probe), label, strength, len(prompts))
        found = report.found
        edit = interruptible(equations.edit, found.lamb, with_curve=True)
        summary = time_inputs.with_doubt(f"{report.summary()}\n{edit.summary()}", model, edit, clip)
        return io.NodeOutput(
            apply_edit(model, edit, strength, where),
            edit,
            found.lamb,
            found.share,
            _image(plot(search, report.probes)),
            *nearest.values(),
            ui={
                **ui.PreviewText(summary).as_dict(),
                "balance": [report.as_json()],
            },
        )


class Progress:
    """The host's progress bar over all steps of all probes, with the plot so far as its picture."""

    def __init__(self, search: Search, steps: int):
        """`steps`: of one probe."""
        self._search, self._steps, self._done = search, steps, 0
        self._bar = ProgressBar(search.probes * steps)

    def on_step(self, done: int) -> None:
        """
        Raises:
            InterruptProcessingException: the user interrupted.
        """
        self._bar.update_absolute(self._done + done)

    def on_probe(self, done: tuple[Probe, ...]) -> None:
        self._done = len(done) * self._steps
        self._bar.update_absolute(self._done, preview=("PNG", plot(self._search, done), SHOWN_PLOT))


def seen(lamb: float, shows_label: torch.Tensor, series: Series) -> Probe:
    """The probe of the pictures of a series, (n,) bool each whether it shows the label."""
    by_prompt = [[number - series.first for number in series.of_positive(i)] for i in range(len(series.positives))]
    return Probe(lamb, tuple(int(shows_label[of].sum()) for of in by_prompt), tuple(map(len, by_prompt)))


def _image(picture: Image.Image) -> torch.Tensor:
    """IMAGE (1, H, W, 3) in 0..1."""
    return torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255)[None]
