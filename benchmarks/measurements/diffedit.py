"""DiffEdit: how many edits come about and how well the rest of the picture is kept, over the strength of the inversion.

Protocol: the DiffEdit paper's trade-off curves (Couairon et al., ICLR 2023), with the measures of PIE-Bench (Ju et al., ICLR
2024): background outside the mask, structure of the whole picture, and whether the target prompt fits better than the source.
What no option names keeps the nodes' defaults, as published.
"""

from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from ..data.pictures import Edit, load, read_edits
from ..hosts.editing import EVERYWHERE, FOUND, GIVEN, NODES, NOWHERE, Asked, Settings, edit_picture
from ..hosts.inputs import parse_changes
from ..hosts.library import WORLDS
from ..judges.edits import CLIP_SCORE, FACTS, MEASURES, PSNR, REGION_SCORE, STRUCTURE, SUCCESS, Instruments
from ..judges.perceptual import BackgroundLpips
from ..judges.pixels import lpips_by
from ..report.bootstrap import Estimate, estimate
from ..report.report import SHEET_ROWS, Plot, Report, Sheet, Table, grouped
from ..run.measurement import Outcome, PaperMeasurement, Results, Task, Workplace, folder_name, option, plain

WORLD_SIZE = 128
BASELINE = Settings("VAE alone", masked_by=NOWHERE)
CHOICES = {
    "masked_by": {FOUND: FOUND, GIVEN: GIVEN, EVERYWHERE: EVERYWHERE},
    "inverted_under": {"source": "source", "target": "target", "nothing": ""},
    "composite": {True: True, False: False},
}
PUBLISHED_COLUMNS = ("method", STRUCTURE, "PSNR", "LPIPS", "MSE", "SSIM", CLIP_SCORE, REGION_SCORE)
PUBLISHED = (
    ("DDIM inversion", 0.06943, 17.87, 0.2088, 0.021988, 0.7114, 25.01, 22.44),
    ("Null-text inversion", 0.01344, 27.03, 0.06067, 0.003586, 0.8411, 24.75, 21.86),
    ("Direct Inversion", 0.01165, 27.22, 0.05455, 0.003286, 0.8476, 25.02, 22.10),
)
PUBLISHED_NOTE = (
    "Ju et al., Table 1: all of PIE-Bench, SD 1.4 with prompt-to-prompt, CLIP ViT-L/14. PSNR, SSIM, MSE and LPIPS compare with "
    "our columns 'as PIE-Bench' and LPIPS; their structure distance is of DINO ViT-B/8 and compares with none of ours."
)
PLOTS = (
    ("What an edit costs the background", SUCCESS, PSNR),
    ("What an edit costs the structure", SUCCESS, STRUCTURE),
    ("How well the target fits, and the background", CLIP_SCORE, PSNR),
    ("Edits by strength", "strength", SUCCESS),
)
"""Title, x and y; columns of the table of scores."""


def parse_settings(text: str, common: Settings) -> Settings:
    """'steadier: mask.maps=30, invert.method=predictor' as Settings, on top of `common`. Raises ValueError."""
    name, changes = parse_changes(text, "--setting")
    changed = asdict(common) | {"name": name}
    for key, value in changes.items():
        part, dot, key_in_part = key.partition(".")
        if dot and part in NODES:
            changed[part][key_in_part] = value
        elif value in CHOICES.get(key, ()):
            changed[key] = CHOICES[key][value]
        else:
            offered = [f"{part}.INPUT" for part in NODES]
            offered += [f"{choice}={'|'.join(str(one).lower() for one in values)}" for choice, values in CHOICES.items()]
            raise ValueError(f"--setting {text!r}: '{key}={value}' is none; there are {', '.join(offered)}.")
    return Settings(**changed)


@dataclass(frozen=True, kw_only=True)
class DiffEdit(PaperMeasurement):
    """Pictures x settings x strengths. A task is one picture under one of the settings, at all strengths."""

    place: str = option("a CSV (picture,source,target[,mask[,kind]]), a folder of pictures, or PIE-Bench")
    strengths: tuple[float, ...] = option("of the inversion", (0.5, 0.6, 0.7, 0.8), nargs="+", type=float)
    setting: tuple[str, ...] = option(
        "settings to compare with the nodes' defaults: inputs of mask (DiffEdit Mask), invert (DDIM Invert) or sample "
        "(Masked Latent Sample); masked_by=found|given|everywhere; inverted_under=source|target; composite=true",
        (),
        action="append",
        metavar="'NAME: PART.INPUT=VALUE, ...'",
    )
    size: int | None = option("of the pictures, in pixels (their own; toy and natural 128)", None, type=int)
    steps: int | None = option("of inversion and sampling, at strength 1 (the nodes' default)", None, type=int)
    cfg: float | None = option("guidance (the node's default)", None, type=float)
    negative: str = option("the negative prompt (empty)", "")
    lpips: Path | None = option("torchvision's squeezenet1_1: LPIPS as PIE-Bench's (AlexNet)", None, type=Path, metavar="FILE")
    name: ClassVar[str] = "diffedit"
    from_noise: ClassVar[bool] = False

    @classmethod
    def from_arguments(cls, args: Namespace) -> Self:
        """Raises ValueError if there is nothing to edit or an option cannot be read."""
        args.size = args.size or (WORLD_SIZE if args.checkpoint in WORLDS else None)
        args.strengths = tuple(sorted(set(args.strengths)))
        if not all(0 < strength <= 1 for strength in args.strengths):
            raise ValueError(f"--strengths {args.strengths}: a strength is above 0 and at most 1.")
        return super().from_arguments(args)

    @cached_property
    def read(self) -> tuple[list[Edit], list[str]]:
        """The edits, and what is wrong with the others."""
        edits, problems = read_edits(self.place)
        return edits[: self.rows], problems

    @cached_property
    def variants(self) -> list[Settings]:
        invert = {} if self.steps is None else {"steps": self.steps}
        sample = {} if self.cfg is None else {"cfg": self.cfg}
        common = Settings("DiffEdit", invert=invert, sample=sample, negative=self.negative)
        variants = [BASELINE, common, *(parse_settings(text, common) for text in self.setting)]
        if len({folder_name(variant.name) for variant in variants}) < len(variants):
            raise ValueError(f"two settings have the same name: {', '.join(variant.name for variant in variants)}.")
        return variants

    def settings(self) -> dict:
        return super().settings() | {"place": Path(self.place).name, "edits": plain(self.read[0])}

    def next_tasks(self, results: Results) -> list[Task]:
        return [
            Task(_place(variant, edit), {"edit": i, "settings": j}, len(self._strengths(variant)))
            for i, edit in enumerate(self.read[0])
            for j, variant in enumerate(self.variants)
        ]

    def _strengths(self, variant: Settings) -> tuple[float, ...]:
        return (0.0,) if variant.masked_by == NOWHERE else self.strengths

    def prepare(self, worker: Workplace) -> Instruments:
        """Raises FileNotFoundError if the weights of LPIPS are not there."""
        measure = (lambda: lpips_by(self.lpips)) if self.lpips else BackgroundLpips
        return worker.cache("instruments", lambda: Instruments(worker.judge, measure()))

    def work(self, worker: Workplace, task: Task) -> Outcome:
        edit, variant = self.read[0][task.payload["edit"]], self.variants[task.payload["settings"]]
        known = load(edit, self.size)
        pixels, given = known.picture, known.mask
        strengths = self._strengths(variant)
        edited = edit_picture(worker.host, Asked(pixels, edit.source, edit.target, given), variant, strengths)
        if edited.pictures.shape[1:] != pixels.shape:
            raise ValueError(
                f"the picture is {pixels.shape[1]} x {pixels.shape[0]}, but this VAE gives it back as "
                f"{edited.pictures.shape[2]} x {edited.pictures.shape[1]}; choose a --size that it can hold."
            )
        background = GIVEN if given is not None else FOUND if edited.mask is not None else None
        stored = {_picture_name(strength): picture for strength, picture in zip(strengths, edited.pictures, strict=True)}
        if variant.masked_by == NOWHERE:
            stored["original"] = pixels
        elif edited.mask is not None:
            stored["mask"] = np.repeat(np.uint8(255) * edited.mask[..., None], 3, -1)
        measured = self.prepare(worker).measure(known, edited, edit)
        return Outcome({"background": background, "pictures": measured}, stored)

    def report(self, results: Results) -> Report:
        variants, edits, problems = self._comparable(results)
        records = [record for edit in edits for variant in variants for record in self._records(results, variant, edit)]
        scores = _table(records, ("settings", "strength"), estimate)
        tables = [Table("Scores", scores, _note(edits, scores))]
        if any(isinstance(edit.mask, tuple) for edit in edits):
            published = [dict(zip(PUBLISHED_COLUMNS, row, strict=True)) for row in PUBLISHED]
            tables.append(Table("Published", published, PUBLISHED_NOTE))
        if len({edit.kind for edit in edits}) > 1:
            kinds = _table(records, ("kind", "settings", "strength"), lambda values: float(np.mean(values)))
            tables.append(Table("Kinds of edit", kinds))
        for group in dict.fromkeys(name for edit in edits for name in edit.groups):
            by_group = _table(records, (group, "settings", "strength"), lambda values: float(np.mean(values)))
            tables.append(Table(f"By {group}", by_group))
        return Report(
            title=f"DiffEdit: {Path(self.place).name}",
            summary=[
                f"{len(edits)} of {len(self.read[0])} pictures, {len(variants)} settings, {len(records)} results.",
                f"Edits at strength {', '.join(f'{strength:g}' for strength in self.strengths)}.",
            ],
            tables=tables,
            records=records,
            plots=_plots(scores),
            sheets=[self._sheet(variants, edits)],
            problems=[*self.read[1], *problems],
        )

    def _comparable(self, results: Results) -> tuple[list[Settings], list[Edit], list[str]]:
        """The settings under which some picture could be edited, the pictures that could be under all of these, so that they
        are compared on the same ones, and why not the others."""
        errors = {v.name: [results[_place(v, edit)].get("error") for edit in self.read[0]] for v in self.variants}
        problems = [f"settings {name}, all pictures: {said[0]}" for name, said in errors.items() if all(said)]
        variants, edits = [variant for variant in self.variants if not all(errors[variant.name])], []
        for i, edit in enumerate(self.read[0]):
            said = [f"{variant.name}: {errors[variant.name][i]}" for variant in variants if errors[variant.name][i]]
            problems += [f"{Path(self.place).name}, {edit.row}: {error}" for error in said[:1]]
            if not said:
                edits.append(edit)
        return variants, edits, problems

    def _records(self, results: Results, variant: Settings, edit: Edit) -> list[dict]:
        result = results[_place(variant, edit)]
        asked = {name: getattr(edit, name) for name in ("name", "row", "kind", "source", "target")}
        asked |= {"background by mask": result["background"], **edit.groups}
        return [
            {"settings": variant.name, "strength": strength}
            | asked
            | {column: measured[column] for column in (*FACTS, *MEASURES) if column in measured}
            for strength, measured in zip(self._strengths(variant), result["pictures"], strict=True)
        ]

    def _sheet(self, variants: Sequence[Settings], edits: Sequence[Edit]) -> Sheet:
        names = [_picture_name(strength) for strength in self.strengths]
        rows = []
        for edit in edits[:SHEET_ROWS]:
            for variant in (variant for variant in variants if variant.masked_by != NOWHERE):
                place, original = _place(variant, edit), (_place(BASELINE, edit), "original")
                label = f"{edit.source} → {edit.target} ({variant.name})"
                rows.append((label, [original, *((place, name) for name in ("mask", *names))]))
        return Sheet("Pictures", ["original", "mask", *names], rows)


def _table(records: Sequence[dict], keys: Sequence[str], combine: Callable[[list[float]], object]) -> list[dict]:
    """A row for each combination of `keys`, with `combine` of every measure that any of its pictures has."""
    rows = []
    for values, group in grouped(records, *keys).items():
        found = {measure: [record[measure] for record in group if measure in record] for measure in MEASURES}
        row = dict(zip(keys, values, strict=True)) | {"pictures": len(group)}
        rows.append(row | {measure: combine(some) for measure, some in found.items() if some})
    return rows


def _note(edits: Sequence[Edit], scores: Sequence[dict]) -> str:
    said = ["Mean, standard deviation and 95 % bootstrap interval over pictures. VAE alone: encoded and decoded, unedited."]
    without = sum(edit.mask is None for edit in edits)
    if without:
        said.append(
            f"{without} of {len(edits)} pictures have no mask of their own: there the background is what lies outside the "
            "mask that DiffEdit Mask found under the same settings, so settings with larger masks are spared more."
        )
    if not any(STRUCTURE in row for row in scores):
        said.append("Structure distance was not measured: it needs --judge clip.")
    return " ".join(said)


def _plots(scores: Sequence[dict]) -> list[Plot]:
    plots = []
    for title, x, y in PLOTS:
        rows = [row for row in scores if row["settings"] != BASELINE.name and x in row and y in row]
        curves = {
            name: ([row[x].mean if isinstance(row[x], Estimate) else row[x] for row in group], [row[y].mean for row in group])
            for (name,), group in grouped(rows, "settings").items()
        }
        if curves:
            plots.append(Plot(title, x, f"{y}, dB" if y == PSNR else y, curves))
    return plots


def _place(variant: Settings, edit: Edit) -> str:
    return f"{folder_name(variant.name)}/{edit.name}"


def _picture_name(strength: float) -> str:
    return f"strength {strength:g}"
