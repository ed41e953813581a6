"""Measure TIME and DiffEdit on a checkpoint: `python -m benchmarks timed|bias|diffedit|captions|speed`.

Every run can be stopped at any moment and goes on with the same command; finished pictures are kept.
"""

import argparse
import os
import shlex
import sys
from functools import partial
from pathlib import Path

from tools.comfyui.client import WorkflowError
from tools.comfyui.environment import TOY_CHECKPOINT, TOY_WEIGHTS
from tools.comfyui.library import comfyui_path

from . import speed
from .hosts.library import TOY, LibraryHost, model_file
from .hosts.sampling import Sampling
from .hosts.server import ServerHost
from .judges.clip import load_clip_judge, load_toy_clip_judge
from .judges.toy import ToyJudge
from .measurements import bias, captions, diffedit, timed
from .run.conduct import conduct
from .run.files import write_files
from .run.manifest import ManifestError, agree, fingerprint, versions
from .run.measurement import Report
from .run.pools import InProcess, LostWorker, Processes, Threads
from .run.store import Store
from .run.worker import Setup, Worker

MEASUREMENTS = {"timed": timed, "bias": bias, "diffedit": diffedit, "captions": captions}
CLIP, TOY_CLIP_JUDGE = "clip", "toy-clip"
JUDGES = {CLIP: load_clip_judge, TOY: ToyJudge, TOY_CLIP_JUDGE: load_toy_clip_judge}
TOY_SAMPLING = {"width": 128, "height": 128, "steps": 10, "cfg": 3.0}


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for name, module in MEASUREMENTS.items():
        command = commands.add_parser(name, help=_first_line(module), description=module.__doc__)
        module.add_arguments(command)
        _add_common(command)
    speed.add_arguments(commands.add_parser("speed", help=_first_line(speed), description=speed.__doc__))
    return top


def _first_line(module) -> str:
    return module.__doc__.splitlines()[0]


def _add_common(command: argparse.ArgumentParser) -> None:
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
    how = command.add_argument_group("where it runs")
    how.add_argument("--output", required=True, help="a folder or an fsspec URL (s3://...); the same one goes on with a run")
    how.add_argument("--batch", type=int, help="pictures sampled at once (what the memory holds)")
    how.add_argument("--pictures-per-task", type=int, default=8, help="pictures in one task, which is done again if killed (8)")
    how.add_argument("--workers", type=int, help="worker processes (one a GPU; on a CPU as many as cores and memory allow)")
    how.add_argument("--threads", type=int, default=1, help="threads of a worker on a CPU; 0 is torch's choice (1)")
    how.add_argument(
        "--server", action="append", default=[], metavar="URL", help="a running ComfyUI; may be given several times"
    )
    how.add_argument(
        "--ray", nargs="?", const="local", metavar="ADDRESS", help="a Ray cluster; without an address, one started here"
    )


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    args = parser().parse_args(arguments)
    if args.command == "speed":
        return speed.main(args)
    try:
        return _measure(args, shlex.join(["python", "-m", "benchmarks", *arguments]))
    except (ValueError, OSError, ManifestError, LostWorker, WorkflowError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nInterrupted. The same command goes on with what is in {args.output}.", file=sys.stderr)
        return 130


def _measure(args: argparse.Namespace, command: str) -> int:
    sampling = _sampling(args)
    judge = args.judge = args.judge or (TOY if args.checkpoint == TOY and not args.judge_clip else CLIP)
    files = _model_files(args, judge)
    measurement = MEASUREMENTS[args.command].from_arguments(args)
    store = Store(args.output)
    manifest = {
        "measurement": measurement.name,
        "settings": measurement.settings(),
        # DiffEdit's nodes sample by their own inputs, which are among the settings.
        "sampling": None if args.command == "diffedit" else sampling.as_dict(),
        "checkpoint": "toy world, narrow" if args.checkpoint == TOY else args.checkpoint,
        "judge": judge,
        "threads": args.threads,
        "files": {name: fingerprint(path) for name, path in files.items()},
        "versions": versions(comfyui_path()),
    }
    agree(store, manifest)
    open_judge = partial(load_clip_judge, args.judge_clip, args.judge_vision) if judge == CLIP else JUDGES[judge]
    report = conduct(measurement, store, partial(_pool, args, measurement, sampling, open_judge), command)
    names = write_files(store, report, manifest)
    _print(report)
    print(f"\nWritten to {args.output}: {', '.join(names)}")
    return 0


def _sampling(args: argparse.Namespace) -> Sampling:
    given = {"width": args.size, "height": args.size, "steps": args.steps, "cfg": args.cfg, "batch": args.batch}
    preset = TOY_SAMPLING if args.checkpoint == TOY else {}
    chosen = preset | {name: value for name, value in given.items() if value is not None}
    return Sampling(sampler=args.sampler, scheduler=args.scheduler, negative=args.negative, **chosen)


def _model_files(args: argparse.Namespace, judge: str) -> dict[str, Path]:
    """The files that decide the results. Raises ValueError for one that is missing, before any work begins."""
    files = {"checkpoint": model_file("checkpoints", TOY_CHECKPOINT if args.checkpoint == TOY else args.checkpoint)}
    if judge == TOY_CLIP_JUDGE:
        files["judge"] = TOY_WEIGHTS / "clip.safetensors"
    if judge == CLIP:
        for option, kind, name in (
            ("--judge-clip", "text_encoders", args.judge_clip),
            ("--judge-vision", "clip_vision", args.judge_vision),
        ):
            if not name:
                raise ValueError(f"The judge is CLIP; {option} is missing: a file, or a name in ComfyUI's models/{kind}.")
            files[option.lstrip("-")] = model_file(kind, name)
    return files


def _pool(args: argparse.Namespace, measurement, sampling: Sampling, open_judge):
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
    return InProcess(make_worker) if count == 1 else Processes(make_worker, count)


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
    for table in report.tables[:1]:
        columns = list(dict.fromkeys(key for row in table.rows for key in row))
        print("\n| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
        for row in table.rows:
            print("| " + " | ".join(table.cell(row, column) for column in columns) + " |")


if __name__ == "__main__":
    sys.exit(main())
