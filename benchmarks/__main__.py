"""Measure TIME and DiffEdit: `python -m benchmarks NAME`, on a checkpoint or on the toy world.

Every run can be stopped at any moment and goes on with the same command; finished tasks are kept.
"""

import argparse
import os
import shlex
import sys
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path

from naturalworld.wordings import NaturalJudge
from toyworld.wordings import ToyJudge, toy_clip_judge

from tools.comfyui.client import WorkflowError
from tools.comfyui.environment import NATURAL_WEIGHTS, ROOT, TOY_WEIGHTS
from tools.comfyui.library import comfyui_path

from .hosts.library import NATURAL, TOY, WORLDS, LibraryHost, Sampling, model_file
from .hosts.server import ServerHost
from .judges.clip import load_clip_judge
from .measurements.bias import Bias
from .measurements.captions import Captions
from .measurements.diffedit import DiffEdit
from .measurements.diffedit_settings import DiffEditSettings
from .measurements.diffedit_speed import DiffEditSpeed
from .measurements.flow_edit import FlowEdit
from .measurements.natural_settings import NaturalSettings
from .measurements.photographs import Photographs
from .measurements.quality import Quality
from .measurements.scaling import Scaling
from .measurements.study import Study
from .measurements.time_settings import TimeSettings, ToyTimeSettings
from .measurements.time_speed import TimeSpeed
from .measurements.timed import Timed
from .report.files import write_files
from .report.report import Report
from .run.conduct import conduct
from .run.manifest import ManifestError, agree, versions
from .run.measurement import Measurement, add_options, fingerprint
from .run.store import Store
from .run.workers import LostWorker, RayPool, Worker, processes, threads

PAPERS = (Timed, Bias, DiffEdit, Captions)
STUDIES = (
    Quality,
    TimeSettings,
    ToyTimeSettings,
    DiffEditSettings,
    NaturalSettings,
    Photographs,
    FlowEdit,
    TimeSpeed,
    DiffEditSpeed,
    Scaling,
)
MEASUREMENTS: dict[str, type[Measurement]] = {measured.name: measured for measured in (*PAPERS, *STUDIES)}
CLIP, TOY_CLIP_JUDGE = "clip", "toy-clip"
JUDGES = {CLIP: load_clip_judge, TOY: ToyJudge, TOY_CLIP_JUDGE: toy_clip_judge, NATURAL: NaturalJudge}
JUDGES_WEIGHTS = {TOY_CLIP_JUDGE: TOY_WEIGHTS / "clip.safetensors", NATURAL: NATURAL_WEIGHTS / "judge.safetensors"}
CLIP_HALVES = {"judge_clip": "text_encoders", "judge_vision": "clip_vision"}
"""By option, ComfyUI's folder of models."""
WORLDS_SAMPLING = {TOY: {"size": 128, "steps": 10, "cfg": 3.0}, NATURAL: {"size": 128, "steps": 20, "cfg": 3.0}}


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for name, measured in MEASUREMENTS.items():
        said = sys.modules[measured.__module__].__doc__
        command = commands.add_parser(name, help=said.splitlines()[0], description=said)
        add_options(command, measured)
        if issubclass(measured, Study):
            command.set_defaults(
                checkpoint=measured.checkpoint, judge=measured.checkpoint, server=[], output=str(ROOT / "bench-output" / name)
            )
        else:
            _add_models(command, measured.from_noise)
        _add_places(command, measured)
    return top


def _add_models(command: argparse.ArgumentParser, from_noise: bool) -> None:
    what = command.add_argument_group("what makes the pictures, and who judges them").add_argument
    what("--checkpoint", default=TOY, help="a file or a name in ComfyUI's models/checkpoints; 'natural'; 'toy' (default)")
    if from_noise:
        what("--size", type=int, help="of the pictures, in pixels (512; toy and natural 128)")
        what("--steps", type=int, help="of sampling (50; toy 10, natural 20)")
        what("--cfg", type=float, help="guidance (7.5; toy and natural 3)")
        what("--sampler", help="of the host (euler)")
        what("--scheduler", help="of the host (normal)")
        what("--negative", help="the negative prompt (empty)")
        what("--batch", type=int, help="pictures sampled at once (what the memory holds)")
    what("--judge", choices=list(JUDGES), help="CLIP, what reads a world's pixels (its default), or the toy world's CLIP")
    what("--judge-clip", help="CLIP's text half: a file or a name in models/text_encoders")
    what("--judge-vision", help="CLIP's vision half: a file or a name in models/clip_vision")
    what("--server", action="append", default=[], metavar="URL", help="a running ComfyUI; may be given several times")


def _add_places(command: argparse.ArgumentParser, measured: type[Measurement]) -> None:
    how = command.add_argument_group("where it runs").add_argument
    chosen = command.get_default("output")
    how("--output", default=chosen, required=not chosen, help="a folder or an fsspec URL (s3://...), to go on with a run, too")
    how("--again", action="store_true", help="if the run there is finished, measure all of it anew")
    how("--workers", type=int, help="worker processes (one a GPU; on a CPU as many as cores and memory allow)")
    how("--threads", type=int, default=measured.threads, help=f"of a worker on a CPU; 0 is torch's choice ({measured.threads})")
    how("--ray", nargs="?", const="local", metavar="ADDRESS", help="a Ray cluster; without an address, one started here")


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    args = parser().parse_args(arguments)
    try:
        return _measure(args, shlex.join(["python", "-m", "benchmarks", *arguments]))
    except (ValueError, OSError, ManifestError, LostWorker, WorkflowError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nInterrupted. The same command goes on with what is in {args.output}.", file=sys.stderr)
        return 130


def _measure(args: argparse.Namespace, command: str) -> int:
    measured = MEASUREMENTS[args.command]
    args.judge = args.judge or (args.checkpoint if args.checkpoint in WORLDS and not args.judge_clip else CLIP)
    sampling = measured.sampling or _sampling(args)
    files = _model_files(args)
    measurement = measured.from_arguments(args)
    store = Store(args.output)
    if args.again:
        store.forget_finished()
    manifest = {
        "measurement": measurement.name,
        "settings": measurement.settings(),
        "sampling": asdict(sampling) if measured.from_noise else None,
        "checkpoint": f"{args.checkpoint} world, narrow" if args.checkpoint in WORLDS else args.checkpoint,
        "judge": args.judge,
        "threads": args.threads,
        "files": {name: fingerprint(path) for name, path in files.items()},
        "versions": versions(comfyui_path()),
    }
    agree(store, manifest)
    report = conduct(measurement, store, partial(_pool, args, measurement, sampling, files["checkpoint"]), command)
    names = write_files(store, report, manifest)
    _print(report)
    print(f"\nWritten to {args.output}: {', '.join(names)}")
    short = not all(target.met for target in report.targets)
    return 1 if short or (measured in STUDIES and report.problems) else 0


def _sampling(args: argparse.Namespace) -> Sampling:
    """What the command line says, else the world's, else the published one."""
    names = [one.name for one in fields(Sampling)]
    given = {name: value for name in names if (value := getattr(args, name, None)) is not None}
    return Sampling(**WORLDS_SAMPLING.get(args.checkpoint, {}) | given)


def _model_files(args: argparse.Namespace) -> dict[str, Path]:
    """The files that decide the results. Raises ValueError for one that is missing, before any work begins."""
    files = {"checkpoint": model_file("checkpoints", WORLDS.get(args.checkpoint, args.checkpoint))}
    if args.judge in JUDGES_WEIGHTS:
        files["judge"] = JUDGES_WEIGHTS[args.judge]
    for name, kind in CLIP_HALVES.items() if args.judge == CLIP else ():
        option = name.replace("_", "-")
        if not getattr(args, name):
            raise ValueError(f"The judge is CLIP; --{option} is missing: a file, or a name in ComfyUI's models/{kind}.")
        files[option] = model_file(kind, getattr(args, name))
    return files


def _pool(args: argparse.Namespace, measurement: Measurement, sampling: Sampling, checkpoint: Path):
    open_judge = partial(load_clip_judge, args.judge_clip, args.judge_vision) if args.judge == CLIP else JUDGES[args.judge]
    worker = partial(Worker, measurement, args.output, open_judge, args.threads)
    if args.server:
        if args.checkpoint in WORLDS:
            raise ValueError("--server needs --checkpoint with a name that the servers have, such as toyworld.safetensors.")
        return threads([partial(worker, partial(ServerHost, url, args.checkpoint, sampling)) for url in args.server])
    make = partial(worker, partial(LibraryHost, args.checkpoint, sampling))
    if args.ray:
        return RayPool(make, None if args.ray == "local" else args.ray, args.workers, args.threads)
    count = args.workers or _workers(args.threads, checkpoint.stat().st_size)
    return threads([make]) if count == 1 else processes(make, count)


def _workers(at_once: int, size: int) -> int:
    """As many as fill the machine: one a GPU, else one a core as far as the memory goes (three times the file for each)."""
    import psutil
    import torch

    if torch.accelerator.is_available():
        return 1
    return int(max(1, min(os.cpu_count() // max(1, at_once), psutil.virtual_memory().available // (3 * size + 2**30))))


def _print(report: Report) -> None:
    print("\n".join([report.title, *report.summary]))
    for line in report.problems:
        print(f"left out: {line}")
    for table in report.tables if report.targets else report.tables[:1]:
        print(f"\n{table.title}\n\n{table.markdown()}")
    print("".join(f"\n{target}" for target in report.targets))


if __name__ == "__main__":
    sys.exit(main())
