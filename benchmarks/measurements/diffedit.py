"""DiffEdit: how many edits come about and how well the rest of the picture is kept, over the strength of the inversion.

Protocol: the DiffEdit paper's trade-off curves (Couairon et al., ICLR 2023), with the measures of PIE-Bench (Ju et al., ICLR
2024): background outside the mask, structure of the whole picture, and whether the target prompt fits better than the source.
Of the sampling options --steps, --cfg and --negative reach the nodes; what is not named keeps their defaults, as published.
Without --size pictures keep their own size (toy: 128).
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from ..data.pictures import Edit, load, read_edits
from ..hosts.editing import EVERYWHERE, FOUND, GIVEN, NOWHERE, Asked, Settings, edit_picture
from ..hosts.inputs import parse_changes
from ..hosts.library import TOY, model_file
from ..judges.edits import CLIP_SCORE, FACTS, MEASURES, PSNR, REGION_SCORE, STRUCTURE, SUCCESS, Instruments
from ..judges.pixels import lpips_by
from ..report.bootstrap import Estimate, over_seeds
from ..report.report import Plot, Report, Sheet, Table
from ..run.measurement import NOT_DECISIVE, Measurement, Workplace
from ..run.values import Outcome, Results, Task, folder_name

TOY_SIZE = 128
HOST_SAMPLING = ("euler", "normal")  # the options' defaults
BASELINE = Settings("VAE alone", masked_by=NOWHERE)
PUBLISHED = [
    {"method": "DDIM inversion", STRUCTURE: 0.06943, "PSNR": 17.87, "LPIPS": 0.2088, "MSE": 0.021988, "SSIM": 0.7114}
    | {CLIP_SCORE: 25.01, REGION_SCORE: 22.44},
    {"method": "Null-text inversion", STRUCTURE: 0.01344, "PSNR": 27.03, "LPIPS": 0.06067, "MSE": 0.003586, "SSIM": 0.8411}
    | {CLIP_SCORE: 24.75, REGION_SCORE: 21.86},
    {"method": "Direct Inversion", STRUCTURE: 0.01165, "PSNR": 27.22, "LPIPS": 0.05455, "MSE": 0.003286, "SSIM": 0.8476}
    | {CLIP_SCORE: 25.02, REGION_SCORE: 22.10},
]
PUBLISHED_NOTE = (
    "Ju et al., Table 1: all of PIE-Bench, SD 1.4 with prompt-to-prompt, CLIP ViT-L/14. PSNR, SSIM, MSE and LPIPS compare with "
    "our columns 'as PIE-Bench' and LPIPS; their structure distance is of DINO ViT-B/8 and compares with none of ours."
)


def parse_settings(text: str, common: Settings) -> Settings:
    """'steadier: mask.maps=30, invert.method=predictor' as Settings, on top of `common`. Raises ValueError."""
    name, changes = parse_changes(text, "--setting")
    changed = asdict(common) | {"name": name}
    for key, value in changes.items():
        part, dot, key_in_part = key.partition(".")
        if dot and part in ("mask", "invert", "sample"):
            changed[part][key_in_part] = value
        elif key in CHOICES and value in CHOICES[key]:
            changed[key] = CHOICES[key][value]
        else:
            raise ValueError(
                f"--setting {text!r}: '{key}={value}' is none; there are mask.INPUT, invert.INPUT, sample.INPUT, "
                + ", ".join(f"{key}={'|'.join(str(value).lower() for value in values)}" for key, values in CHOICES.items())
                + "."
            )
    return Settings(**changed)


CHOICES = {
    "masked_by": {FOUND: FOUND, GIVEN: GIVEN, EVERYWHERE: EVERYWHERE},
    "inverted_under": {"source": "source", "target": "target", "nothing": ""},
    "composite": {True: True, False: False},
}


@dataclass(frozen=True)
class DiffEdit(Measurement):
    """Pictures x settings x strengths. A task is one picture under one of the settings, at all strengths."""

    place: str
    edits: tuple[Edit, ...]
    problems: tuple[str, ...]
    variants: tuple[Settings, ...]
    strengths: tuple[float, ...]
    size: int | None = None
    structure: Path | None = None
    lpips: Path | None = None
    sheet_rows: int = field(default=12, metadata=NOT_DECISIVE)
    name: ClassVar[str] = "diffedit"

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        parser.add_argument("place", help="a CSV (picture,source,target[,mask[,kind]]), a folder of pictures, or PIE-Bench")
        parser.add_argument("--rows", type=int, help="edit the first N pictures only")
        parser.add_argument("--kinds", nargs="+", help="only edits of these kinds (PIE-Bench: its editing types, 0 to 9)")
        parser.add_argument(
            "--strengths", type=float, nargs="+", default=[0.5, 0.6, 0.7, 0.8], help="of the inversion (0.5 0.6 0.7 0.8)"
        )
        parser.add_argument(
            "--setting",
            action="append",
            default=[],
            metavar="'NAME: PART.INPUT=VALUE, ...'",
            help="settings to compare with the nodes' defaults: inputs of mask (DiffEdit Mask), invert (DDIM Invert) or sample "
            "(Masked Latent Sample); masked_by=found|given|everywhere; inverted_under=source|target; composite=true",
        )
        parser.add_argument(
            "--masks-as-annotated",
            action="store_true",
            help="PIE-Bench: the border is background where its masks say so; in its own evaluation it never is",
        )
        parser.add_argument(
            "--structure", metavar="MODEL", help="for the structure distance, if not the judge's: CLIP or DINOv2 Vision"
        )
        parser.add_argument("--lpips", type=Path, metavar="FILE", help="torchvision's squeezenet1_1 weights, to measure LPIPS")
        parser.add_argument("--sheet-rows", type=int, default=12, help="pictures on the contact sheet (12)")

    @classmethod
    def from_arguments(cls, args: Namespace) -> Self:
        """Raises ValueError if there is nothing to edit or an option cannot be read."""
        edits, problems = read_edits(args.place, border=not args.masks_as_annotated)
        chosen = [edit for edit in edits if args.kinds is None or edit.kind in args.kinds][: args.rows]
        if not chosen:
            kinds = ", ".join(sorted({edit.kind for edit in edits}))
            raise ValueError("\n".join([f"{args.place}: no picture can be edited (kinds: {kinds}).", *problems]))
        if not all(0 < strength <= 1 for strength in args.strengths):
            raise ValueError(f"--strengths {args.strengths}: a strength is above 0 and at most 1.")
        if args.lpips and not args.lpips.is_file():
            raise ValueError(f"--lpips {args.lpips} is no file.")
        if (args.sampler, args.scheduler) != HOST_SAMPLING:
            raise ValueError(
                f"--sampler {args.sampler} and --scheduler {args.scheduler} are of sampling from noise. Choose them for "
                "DiffEdit's nodes: --setting 'NAME: sample.sampler_name=..., invert.scheduler=...'."
            )
        common = Settings(
            "DiffEdit",
            invert={} if args.steps is None else {"steps": args.steps},
            sample={} if args.cfg is None else {"cfg": args.cfg},
            negative=args.negative,
        )
        variants = (BASELINE, common, *(parse_settings(text, common) for text in args.setting))
        folders = [folder_name(variant.name) for variant in variants]
        if len(set(folders)) < len(folders):
            raise ValueError(f"two settings have the same name: {', '.join(variant.name for variant in variants)}.")
        return cls(
            Path(args.place).name,
            tuple(chosen),
            tuple(problems),
            variants,
            tuple(sorted(set(args.strengths))),
            args.size or (TOY_SIZE if args.checkpoint == TOY else None),
            model_file("clip_vision", args.structure) if args.structure else None,
            args.lpips,
            args.sheet_rows,
        )

    def next_tasks(self, results: Results) -> list[Task]:
        return [
            Task(_place(variant, edit), {"edit": i, "settings": j}, len(self._strengths(variant)))
            for i, edit in enumerate(self.edits)
            for j, variant in enumerate(self.variants)
        ]

    def _strengths(self, variant: Settings) -> tuple[float, ...]:
        return (0.0,) if variant.masked_by == NOWHERE else self.strengths

    def prepare(self, worker: Workplace) -> None:
        """Raises ValueError for a model of the structure distance or of LPIPS that cannot be opened."""
        worker.cache("instruments", lambda: self._instruments(worker.judge))

    def work(self, worker: Workplace, task: Task) -> Outcome:
        edit, variant = self.edits[task.payload["edit"]], self.variants[task.payload["settings"]]
        instruments = worker.cache("instruments", lambda: self._instruments(worker.judge))
        pixels, given = load(edit, self.size)
        strengths = self._strengths(variant)
        edited = edit_picture(worker.host, Asked(pixels, edit.source, edit.target, given), variant, strengths)
        if edited.pictures.shape[1:] != pixels.shape:
            raise ValueError(
                f"the picture is {pixels.shape[1]} x {pixels.shape[0]}, but this VAE gives it back as "
                f"{edited.pictures.shape[2]} x {edited.pictures.shape[1]}; choose a --size that it can hold."
            )
        result = {
            "background": None if given is None and edited.mask is None else FOUND if given is None else GIVEN,
            "pictures": instruments.measure(pixels, edited, given, edit),
        }
        stored = {_picture_name(strength): picture for strength, picture in zip(strengths, edited.pictures, strict=True)}
        if variant.masked_by == NOWHERE:
            stored["original"] = pixels
        elif edited.mask is not None:
            stored["mask"] = np.repeat(np.uint8(255) * edited.mask[..., None], 3, -1)
        return Outcome(result, stored)

    def _instruments(self, judge) -> Instruments:
        vision = getattr(judge, "vision", None)
        if self.structure is not None:
            import comfy.clip_vision  # the host is on the path only in a worker

            vision = comfy.clip_vision.load(str(self.structure))
            if vision is None:
                raise ValueError(f"--structure {self.structure.name} is no vision model that ComfyUI knows.")
        return Instruments(judge, vision, self.lpips and lpips_by(self.lpips))

    def report(self, results: Results) -> Report:
        variants, problems = self._usable(results)
        edits, left_out = self._complete(results, variants)
        records = [record for edit in edits for variant in variants for record in self._records(results, variant, edit)]
        table = _table(records, ("settings", "strength"), _estimate)
        tables = [Table("Scores", table, self._note(results, variants, edits))]
        if any(isinstance(edit.mask, tuple) for edit in edits):
            tables.append(Table("Published", PUBLISHED, PUBLISHED_NOTE))
        if len({edit.kind for edit in edits}) > 1:
            tables.append(Table("Kinds of edit", _table(records, ("kind", "settings", "strength"), _mean)))
        return Report(
            title=f"DiffEdit: {self.place}",
            summary=[
                f"{len(edits)} of {len(self.edits)} pictures, {len(variants)} settings, {len(records)} results.",
                f"Edits at strength {', '.join(f'{strength:g}' for strength in self.strengths)}.",
            ],
            tables=tables,
            records=records,
            plots=_plots(table),
            sheets=[self._sheet(variants, edits)],
            problems=[*self.problems, *problems, *left_out],
        )

    def _usable(self, results: Results) -> tuple[list[Settings], list[str]]:
        """The settings under which at least one picture could be edited, and why not the others."""
        usable, problems = [], []
        for variant in self.variants:
            errors = [results[_place(variant, edit)].get("error") for edit in self.edits]
            if all(errors):
                problems.append(f"settings {variant.name}, all pictures: {errors[0]}")
            else:
                usable.append(variant)
        return usable, problems

    def _complete(self, results: Results, variants: Sequence[Settings]) -> tuple[list[Edit], list[str]]:
        """The pictures that could be edited under all settings, so that these are compared on the same ones, and why not the
        others."""
        complete, problems = [], []
        for edit in self.edits:
            errors = {variant.name: results[_place(variant, edit)].get("error") for variant in variants}
            said = [f"{name}: {error}" for name, error in errors.items() if error]
            if said:
                problems.append(f"{self.place}, {edit.row}: {said[0]}")
            else:
                complete.append(edit)
        return complete, problems

    def _records(self, results: Results, variant: Settings, edit: Edit) -> list[dict]:
        result = results[_place(variant, edit)]
        return [
            {
                "settings": variant.name,
                "strength": strength,
                "name": edit.name,
                "row": edit.row,
                "kind": edit.kind,
                "source": edit.source,
                "target": edit.target,
                "background by mask": result["background"],
            }
            | {column: measured[column] for column in (*FACTS, *MEASURES) if column in measured}
            for strength, measured in zip(self._strengths(variant), result["pictures"], strict=True)
        ]

    def _note(self, results: Results, variants: Sequence[Settings], edits: Sequence[Edit]) -> str:
        said = ["Mean, standard deviation and 95 % bootstrap interval over pictures. VAE alone: encoded and decoded, unedited."]
        without = sum(edit.mask is None for edit in edits)
        if without:
            said.append(
                f"{without} of {len(edits)} pictures have no mask of their own: there the background is what lies outside the "
                "mask that DiffEdit Mask found under the same settings, so settings with larger masks are spared more."
            )
        if not any(STRUCTURE in row for v in variants for e in edits for row in results[_place(v, e)]["pictures"]):
            said.append("Structure distance was not measured: it needs --judge clip or --structure.")
        return " ".join(said)

    def _sheet(self, variants: Sequence[Settings], edits: Sequence[Edit]) -> Sheet:
        rows = []
        for edit in edits[: self.sheet_rows]:
            for variant in variants:
                if variant.masked_by == NOWHERE:
                    continue
                place = _place(variant, edit)
                pictures = [(place, _picture_name(strength)) for strength in self.strengths]
                label = f"{edit.source} → {edit.target} ({variant.name})"
                rows.append((label, [(_place(BASELINE, edit), "original"), (place, "mask"), *pictures]))
        return Sheet("Pictures", ["original", "mask", *map(_picture_name, self.strengths)], rows)


def _table(records: Sequence[dict], keys: Sequence[str], combine: Callable[[list[float]], object]) -> list[dict]:
    """A row for each combination of `keys`, with `combine` of every measure that any of its pictures has."""
    groups: dict[tuple, list[dict]] = {}
    for record in records:
        groups.setdefault(tuple(record[key] for key in keys), []).append(record)
    rows = []
    for values, group in groups.items():
        row = dict(zip(keys, values, strict=True)) | {"pictures": len(group)}
        for measure in MEASURES:
            found = [record[measure] for record in group if measure in record]
            if found:
                row[measure] = combine(found)
        rows.append(row)
    return rows


def _estimate(values: list[float]) -> Estimate:
    return over_seeds({"value": np.array(values, float)}, lambda means: means["value"])


def _mean(values: list[float]) -> float:
    return float(np.mean(values))


def _plots(table: Sequence[dict]) -> list[Plot]:
    edited = [row for row in table if row["settings"] != BASELINE.name]
    wanted = [
        ("What an edit costs the background", SUCCESS, PSNR),
        ("What an edit costs the structure", SUCCESS, STRUCTURE),
        ("How well the target fits, and the background", CLIP_SCORE, PSNR),
        ("Edits by strength", "strength", SUCCESS),
    ]
    plots = []
    for title, x, y in wanted:
        curves: dict[str, tuple[list[float], list[float]]] = {}
        for row in edited:
            if x in row and y in row:
                xs, ys = curves.setdefault(row["settings"], ([], []))
                xs.append(row[x].mean if isinstance(row[x], Estimate) else row[x])
                ys.append(row[y].mean)
        if curves:
            plots.append(Plot(title, x, f"{y}, dB" if y == PSNR else y, curves))
    return plots


def _place(variant: Settings, edit: Edit) -> str:
    return f"{folder_name(variant.name)}/{edit.name}"


def _picture_name(strength: float) -> str:
    return f"strength {strength:g}"
