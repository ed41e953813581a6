"""The results as a page of the documentation."""

from collections.abc import Iterable, Mapping
from datetime import date

from ..report.report import Table
from .configurations import MODELS

Row = Mapping[str, object]
NOT_MEASURED = "-"


def page(results: dict, bounds: Mapping[str, Mapping[str, float]]) -> str:
    """Markdown. `results` as `conduct` gives them, in whatever state; `bounds` by what is compared and type of weights."""
    rows, effort = results["configurations"], results["effort"]
    machine = ", ".join(f"{name} {value}" for name, value in results["machine"].items()) or "the host did not start"
    walked = next(iter(_parts(rows, "DiffEdit")), {}).get("steps walked", effort["inversion"])
    sections = [
        "# On a graphics card",
        "Made by `make gpu`, which writes this page and `gpu.json` anew: models of full size and random weights, so that "
        "times, memory and rounding are those of real ones, and pictures are noise. "
        + _sizes(rows)
        + "; one picture, guidance 7.5. "
        "*dynamic VRAM* is the host's default on NVIDIA cards; the other rows are with `--disable-dynamic-vram`.",
        f"{date.today().isoformat()}: {machine}.",
        _section(
            "An edit",
            _table(rows, _edit),
            f"Seconds with the text encoder loaded, median of {effort['edits']} (lowest to highest).",
        ),
        _section(
            "Loading",
            _table(rows, _loading),
            "Seconds from host memory to a loaded model and its first call, once. With dynamic VRAM the call itself loads and "
            "patches. *patching* is what the edit adds to both together.",
        ),
        _section(
            "A sampling step",
            _table(rows, _sampling),
            f"Milliseconds, median (lowest to highest) of {effort['rounds']} samplings of {effort['steps']} steps, plain and "
            "edited in turns; the step that loads the model is left out.",
        ),
        _section(
            "DiffEdit",
            _table(rows, _diffedit),
            f"Seconds, once each, the model loaded: a mask of {effort['maps']} noises, an inversion of {walked} steps, and a "
            "repainting of as many, which is guided. *outside* is the largest change of the latent outside the mask.",
        ),
        _section(
            "Peak memory",
            _table(rows, _memory),
            "MiB: what PyTorch had handed out at most / what was in use on the whole card, by anyone. Dynamic VRAM keeps "
            "weights outside of PyTorch.",
        ),
        _section(
            "Against the CPU",
            _table(rows, lambda row: _equality(row, bounds)),
            "Norm of the difference to float32 on the CPU, relative to it, and in brackets what is allowed; the same edit and "
            "encoded prompts on both sides. *K and V* is the worst of all edited projections, *text* "
            "the card's own encoding of a prompt. *edit* is how much the edit changes a model call, for comparison.",
        ),
    ]
    problems = [f"- {row['name']}: {problem}" for row in rows for problem in row["problems"]]
    if problems:
        sections.append("\n".join(["## What is missing, and why", "", *problems]))
    return "\n\n".join(sections) + "\n"


def _sizes(rows: Iterable[dict]) -> str:
    models = [MODELS[name] for name in dict.fromkeys(row["model"] for row in rows)]
    return ", ".join(f"{m.title} at {m.pixels} x {m.pixels}, against the CPU at {m.compared} x {m.compared}" for m in models)


def _parts(rows: Iterable[dict], part: str) -> list[dict]:
    return [row["parts"][part] for row in rows if part in row["parts"]]


def _section(title: str, table: Table, note: str) -> str:
    return f"## {title}\n\n{note}\n\n{table.markdown()}"


def _table(rows: Iterable[dict], cells) -> Table:
    """A line for each configuration; what it lacks is NOT_MEASURED."""
    lines = []
    for row in rows:
        try:
            lines.append({"": row["name"]} | cells(row))
        except KeyError:
            lines.append({"": row["name"]})
    columns = list(dict.fromkeys(column for line in lines for column in line))
    return Table("", [{column: line.get(column, NOT_MEASURED) for column in columns} for line in lines])


def _edit(row: dict) -> Row:
    values = row["parts"]["edit"]
    found = {"projections": values["projections"], "rank": values["rank"]}
    times = {"encode the prompts": "encoding, s", "solve": "solving, s", "add the patches": "patches, s"}
    return found | {name: _spread(values[key]) for name, key in times.items()}


def _loading(row: dict) -> Row:
    values = row["parts"]["loading"]
    found = {}
    for name in ("plain", "edited"):
        found |= {f"load, {name}": values[name]["load, s"], f"first call, {name}": values[name]["first call, s"]}
    return found | {"patching": values["patching, s"]}


def _sampling(row: dict) -> Row:
    values = row["parts"]["sampling"]
    return {"plain": _spread(values["plain"]), "edited": _spread(values["edited"]), "edited / plain": values["ratio"]}


def _diffedit(row: dict) -> Row:
    values = row["parts"]["DiffEdit"]
    found = {name: values[f"{name}, s"] for name in ("mask", "inversion", "repainting")}
    return found | {"outside": values["outside"]}


def _memory(row: dict) -> Row:
    found = {"sampling": row["parts"]["sampling"]["memory"]}
    found |= {name: row["parts"]["DiffEdit"][f"{name}, memory"] for name in ("mask", "inversion", "repainting")}
    return {name: f"{memory['PyTorch']:.0f} / {memory['card']:.0f}" for name, memory in found.items()}


def _equality(row: dict, bounds: Mapping[str, Mapping[str, float]]) -> Row:
    values = row["parts"]["equality"]
    found = {name: f"{values[name]:.2g} ({bounds[name][row['dtype']]:g})" for name in bounds}
    return found | {"edit": values["edit"]}


def _spread(values: dict) -> str:
    return "{median:.3g} ({lowest:.3g} to {highest:.3g})".format(**values)
