"""Measure TIME and DiffEdit: `python -m benchmarks NAME`, on a checkpoint or on the toy world.

Every run can be stopped at any moment and goes on with the same command; finished tasks are kept.
"""

import argparse
import os
import shlex
import sys
from functools import partial
from pathlib import Path

from tools.comfyui.client import WorkflowError
from tools.comfyui.environment import ROOT, TOY_CHECKPOINT, TOY_WEIGHTS
from tools.comfyui.library import comfyui_path

from .hosts.library import TOY, LibraryHost, model_file
from .hosts.sampling import Sampling
from .hosts.server import ServerHost
from .judges.clip import load_clip_judge, load_toy_clip_judge
from .judges.toy import ToyJudge
from .measurements.bias import Bias
from .measurements.captions import Captions
from .measurements.diffedit import DiffEdit
from .measurements.diffedit_settings import DiffEditSettings
from .measurements.diffedit_speed import DiffEditSpeed
from .measurements.quality import Quality
from .measurements.scaling import Scaling
from .measurements.time_settings import TimeSettings
from .measurements.time_speed import TimeSpeed
from .measurements.timed import Timed
from .report.files import write_files
from .report.report import Report
from .run.conduct import conduct
from .run.manifest import ManifestError, agree, fingerprint, versions
from .run.measurement import Measurement
from .run.pools import LostWorker, Processes, Threads
from .run.store import Store
from .run.worker import Setup, Worker

PAPERS = (Timed, Bias, DiffEdit, Captions)
STUDIES = (Quality, TimeSettings, DiffEditSettings, TimeSpeed, DiffEditSpeed, Scaling)
MEASUREMENTS: dict[str, type[Measurement]] = {measured.name: measured for measured in (*PAPERS, *STUDIES)}
CLIP, TOY_CLIP_JUDGE = "clip", "toy-clip"
JUDGES = {CLIP: load_clip_judge, TOY: ToyJudge, TOY_CLIP_JUDGE: load_toy_clip_judge}
TOY_SAMPLING = {"width": 128, "height": 128, "steps": 10, "cfg": 3.0}


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for name, measured in MEASUREMENTS.items():
        said = sys.modules[measured.__module__].__doc__
        command = commands.add_parser(name, help=said.splitlines()[0], description=said)
        measured.add_arguments(command)
        if measured.sampling is None:
            _add_models(command)
        _add_places(command, measured)
    return top


def _add_models(command: argparse.ArgumentParser) -> None:
    what = command.add_argument_group("what makes the pictures")
    what.add_argument("--checkpoint", default=TOY, help="a file or a name in ComfyUI's models/checkpoints; 'toy' (default)")
    what.add_argument("--size", type=int, help="of the pictures, in pixels (512; toy 128)")
    what.add_argument("--steps", type=int, help="of sampling (50; toy 10)")
    what.add_argument("--cfg", type=float, help="guidance (7.5; toy 3)")
    what.add_argument("--sampler", default="euler", help="a sampler of the host (euler)")
    what.add_argument("--scheduler", default="normal", help="a scheduler of the host (normal)")
    what.add_argument("--negative", default="", help="the negative prompt (empty)")
    judge = command.add_argument_group("who judges them")
    judge.add_argument(
        "--judge", choices=list(JUDGES), help="CLIP zero-shot, the toy world's pixels (its default), or the toy world's CLIP"
    )
    judge.add_argument("--judge-clip", help="CLIP's text half: a file or a name in models/text_encoders")
    judge.add_argument("--judge-vision", help="CLIP's vision half: a file or a name in models/clip_vision")
    how = command.add_argument_group("how the work is divided")
    how.add_argument("--batch", type=int, help="pictures sampled at once (what the memory holds)")
    how.add_argument("--pictures-per-task", type=int, default=8, help="pictures in one task, which is done again if killed (8)")
    how.add_argument(
        "--server", action="append", default=[], metavar="URL", help="a running ComfyUI; may be given several times"
    )


def _add_places(command: argparse.ArgumentParser, measured: type[Measurement]) -> None:
    how = command.add_argument_group("where it runs")
    default = None if measured.sampling is None else str(ROOT / "bench-output" / measured.name)
    how.add_argument(
        "--output",
        default=default,
        required=default is None,
        help="a folder or an fsspec URL (s3://...); the same one goes on with a run",
    )
    how.add_argument("--again", action="store_true", help="if the run there is finished, measure all of it anew")
    how.add_argument("--workers", type=int, help="worker processes (one a GPU; on a CPU as many as cores and memory allow)")
    threads = measured.threads
    how.add_argument("--threads", type=int, default=threads, help=f"of a worker on a CPU; 0 is torch's choice ({threads})")
    how.add_argument(
        "--ray", nargs="?", const="local", metavar="ADDRESS", help="a Ray cluster; without an address, one started here"
    )


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
    if measured.sampling is None:
        sampling = _sampling(args)
        args.judge = args.judge or (TOY if args.checkpoint == TOY and not args.judge_clip else CLIP)
    else:
        sampling = measured.sampling
        args.checkpoint, args.judge, args.server = TOY, TOY, []
    files = _model_files(args)
    measurement = measured.from_arguments(args)
    store = Store(args.output)
    if args.again:
        store.forget_finished()
    manifest = {
        "measurement": measurement.name,
        "settings": measurement.settings(),
        # DiffEdit's nodes sample by their own inputs, which are among the settings.
        "sampling": None if args.command == "diffedit" else sampling.as_dict(),
        "checkpoint": "toy world, narrow" if args.checkpoint == TOY else args.checkpoint,
        "judge": args.judge,
        "threads": args.threads,
        "files": {name: fingerprint(path) for name, path in files.items()},
        "versions": versions(comfyui_path()),
    }
    agree(store, manifest)
    report = conduct(measurement, store, partial(_pool, args, measurement, sampling), command)
    names = write_files(store, report, manifest)
    _print(report)
    print(f"\nWritten to {args.output}: {', '.join(names)}")
    short = not all(target.met for target in report.targets)
    return 1 if short or (measured in STUDIES and report.problems) else 0


def _sampling(args: argparse.Namespace) -> Sampling:
    given = {"width": args.size, "height": args.size, "steps": args.steps, "cfg": args.cfg, "batch": args.batch}
    preset = TOY_SAMPLING if args.checkpoint == TOY else {}
    chosen = preset | {name: value for name, value in given.items() if value is not None}
    return Sampling(sampler=args.sampler, scheduler=args.scheduler, negative=args.negative, **chosen)


def _model_files(args: argparse.Namespace) -> dict[str, Path]:
    """The files that decide the results. Raises ValueError for one that is missing, before any work begins."""
    files = {"checkpoint": model_file("checkpoints", TOY_CHECKPOINT if args.checkpoint == TOY else args.checkpoint)}
    if args.judge == TOY_CLIP_JUDGE:
        files["judge"] = TOY_WEIGHTS / "clip.safetensors"
    if args.judge == CLIP:
        for option, kind, name in (
            ("--judge-clip", "text_encoders", args.judge_clip),
            ("--judge-vision", "clip_vision", args.judge_vision),
        ):
            if not name:
                raise ValueError(f"The judge is CLIP; {option} is missing: a file, or a name in ComfyUI's models/{kind}.")
            files[option.lstrip("-")] = model_file(kind, name)
    return files


def _pool(args: argparse.Namespace, measurement: Measurement, sampling: Sampling):
    open_judge = partial(load_clip_judge, args.judge_clip, args.judge_vision) if args.judge == CLIP else JUDGES[args.judge]

    def worker_of(open_host):
        return partial(Worker, measurement, Setup(open_host, open_judge, args.threads), args.output)

    make_worker = worker_of(partial(LibraryHost, args.checkpoint, sampling))
    if args.server:
        if args.checkpoint == TOY:
            raise ValueError("--server needs --checkpoint with a name that the servers have, such as toyworld.safetensors.")
        return Threads([worker_of(partial(ServerHost, url, args.checkpoint, sampling)) for url in args.server])
    if args.ray:
        from .run.ray_pool import RayPool  # Ray is needed only here

        return RayPool(make_worker, None if args.ray == "local" else args.ray, args.workers, args.threads)
    count = args.workers or _workers(args)
    return Threads([make_worker]) if count == 1 else Processes(make_worker, count)


def _workers(args: argparse.Namespace) -> int:
    """As many as fill the machine: one a GPU, else one a core as far as the memory goes (three times the file for each)."""
    import psutil
    import torch

    if torch.accelerator.is_available():
        return 1
    size = model_file("checkpoints", TOY_CHECKPOINT if args.checkpoint == TOY else args.checkpoint).stat().st_size
    by_memory = psutil.virtual_memory().available // (3 * size + 2**30)
    return int(max(1, min(os.cpu_count() // max(1, args.threads), by_memory)))


def _print(report: Report) -> None:
    print("\n".join([report.title, *report.summary]))
    for line in report.problems:
        print(f"left out: {line}")
    for table in report.tables if report.targets else report.tables[:1]:
        print(f"\n{table.title}\n\n{table.markdown()}")
    print("".join(f"\n{target}" for target in report.targets))


if __name__ == "__main__":
    sys.exit(main())
