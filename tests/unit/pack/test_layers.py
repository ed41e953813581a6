"""Imports point one way, down the floors of the house. Read from the source, nothing is run.

Each check takes the repository's files, path -> source, and gives what is wrong, a line each. That it finds what it should
is shown on the same files with one wrong line planted.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath

import pytest

from tools.comfyui.environment import ROOT

Sources = Mapping[str, str]

WORLDS = tuple(path.parent.name for path in ROOT.glob("tests/*world/__init__.py"))

READ = ("*.py", *(f"{folder}/**/*.py" for folder in ("time_core", "diffedit_core", "nodes", "routes", "tools", "benchmarks")))
REAL: Sources = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for pattern in (*READ, "tests/*world/**/*.py")
    for path in sorted(ROOT.glob(pattern))
}

CORES = ("time_core", "diffedit_core")
# What the pack is made of, and which other parts each may import.
PARTS = {
    "time_core": (),
    "diffedit_core": (),
    "nodes": CORES,
    "routes": CORES,
    "compatibility": (),
    "extension": ("nodes", "routes"),
    "__init__": ("compatibility", "extension"),
}
# The floors of these parts: which folders beside it a folder may import.
FLOORS = {
    "nodes": {
        "shared": (),
        "time": ("shared",),
        "diffedit": ("shared",),
    },
    "time_core": {
        "prompts": (),
        "equations": ("prompts",),
        "reading": ("prompts",),
        "application": ("prompts", "equations", "reading"),
        "balance": (),
    },
    "diffedit_core": {
        "model": (),
        "mask": ("model",),
        "inversion": ("model",),
        "repaint": ("model", "mask", "inversion"),
        "prompts": ("model",),
    },
}
# A folder within a folder of a core, which may import it; not the reverse.
INNER = ("time_core/reading/families", "diffedit_core/inversion/methods")

HOST = (
    *("api_server", "app", "comfy", "comfy_api", "comfy_api_nodes", "comfy_config", "comfy_execution", "comfy_extras"),
    *("comfyui_version", "cuda_malloc", "execution", "folder_paths", "latent_preview", "main", "middleware"),
    *("node_helpers", "nodes", "protocol", "server", "utils"),
)
HOST_NODE_CLASSES = ("nodes", "comfy_extras", "comfy_api_nodes")

MOST_ARGUMENTS = 6
# What the host calls by position or by its own names: WeightAdapterBase.calculate_weight, Sampler.sample.
HOST_SIGNATURES = {
    "time_core/application/adapter.py: TimeAdapter.calculate_weight",
    "diffedit_core/inversion/invert.py: _InversionSampler.sample",
    "diffedit_core/inversion/invert.py: _WayBackSampler.sample",
    "diffedit_core/mask/contrast.py: _MapsSampler.sample",
    "diffedit_core/repaint/masked_sampling.py: TrajectorySampler.sample",
    "diffedit_core/repaint/flow_edit_sampling.py: _FlowEditSampler.sample",
}


@dataclass(frozen=True)
class Import:
    """`name` is dotted, of the repository if `ours` and else absolute: "time_core.balance.plot.plot", "comfy.sd"."""

    name: str
    ours: bool
    line: int

    @property
    def top(self) -> str:
        return self.name.split(".")[0]


@cache
def imports(path: str, source: str) -> tuple[Import, ...]:
    """All import statements of a file, wherever they stand: also in functions and for type checkers alone."""
    return tuple(_read(path, ast.parse(source, path)))


def _read(path: str, tree: ast.Module) -> Iterator[Import]:
    folder = PurePosixPath(path).parent.parts
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Import):
            for name in statement.names:
                yield _absolute(name.name, statement.lineno)
        elif isinstance(statement, ast.ImportFrom):
            for name in statement.names:
                dotted = ".".join(part for part in (statement.module, name.name) if part)
                if statement.level:
                    base = folder[: max(len(folder) - statement.level + 1, 0)]
                    yield Import(".".join((*base, dotted)), True, statement.lineno)
                else:
                    yield _absolute(dotted, statement.lineno)


def _absolute(name: str, line: int) -> Import:
    """`nodes` alone is the host's; ours is time_diffedit.nodes. Toy worlds are imported from the tests' folder."""
    top = name.split(".")[0]
    if top == "time_diffedit":
        return Import(name.removeprefix("time_diffedit."), True, line)
    if top in WORLDS:
        return Import(f"tests.{name}", True, line)
    return Import(name, top in {"tools", "benchmarks", "tests", *PARTS} - {"nodes"}, line)


def file_of(name: str, sources: Sources) -> str | None:
    """The file that a dotted name of the repository comes from: a module, or a package's __init__; None if there is none."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        module = "/".join(parts[:length])
        for path in (f"{module}.py", f"{module}/__init__.py"):
            if path in sources:
                return path
    return None


def part_of(path: str) -> str:
    return PurePosixPath(path).parts[0].removesuffix(".py")


def wrong_parts(sources: Sources) -> list[str]:
    """Imports between the parts of the pack that PARTS does not have; of tools, tests and benchmarks it has none."""
    return [
        f"{path}:{found.line} imports {found.name}: {part_of(path)} may import {' and '.join(PARTS[part_of(path)]) or 'none'}"
        for path, source in sources.items()
        if part_of(path) in PARTS
        for found in imports(path, source)
        if found.ours and found.top not in (part_of(path), *PARTS[part_of(path)])
    ]


def wrong_floors(sources: Sources) -> list[str]:
    """Imports between the folders of a part that FLOORS and INNER do not have, and files beside the folders."""
    wrong = []
    for path, source in sources.items():
        part, *rest = PurePosixPath(path).parts
        if part not in FLOORS or rest == ["__init__.py"]:
            continue
        folder = rest[0]
        if folder not in FLOORS[part]:
            wrong.append(f"{path} lies in none of the folders of {part}: {', '.join(FLOORS[part])}")
            continue
        around = next((inner for inner in INNER if path.startswith(f"{inner}/")), f"{part}/{folder}")
        for found in imports(path, source):
            target = found.name.replace(".", "/")
            may = (around, *(f"{part}/{below}" for below in FLOORS[part][folder]))
            if found.ours and found.top == part and not any(f"{target}/".startswith(f"{other}/") for other in may):
                wrong.append(f"{path}:{found.line} imports {found.name}, which is no floor below")
    return wrong


def host_outside_its_places(sources: Sources) -> list[str]:
    """Modules of the cores that import the host and are not named by their core's docstring, and named ones that do not."""
    wrong = []
    for core in CORES:
        named = {f"{core}.{name}" for name in named_for_the_host(sources[f"{core}/__init__.py"])}
        users = {}
        for path, source in sources.items():
            if part_of(path) == core:
                for found in imports(path, source):
                    if not found.ours and found.top in HOST:
                        users.setdefault(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."), found)
        wrong += [
            f"{module}, line {found.line}, imports {found.name}, and the docstring of {core} does not name it"
            for module, found in users.items()
            if module not in named
        ]
        wrong += [f"{module} does not import the host, and the docstring of {core} names it" for module in named - set(users)]
    return wrong


def named_for_the_host(source: str) -> tuple[str, ...]:
    """The modules in a docstring's sentence "The host is imported by `a.b`, `c.d` and `e.f`;"."""
    sentence = re.search(r"The host is imported by\s([^;]*);", ast.get_docstring(ast.parse(source)))
    return tuple(re.findall(r"`([\w.]+)`", sentence[1]))


def host_node_classes(sources: Sources) -> list[str]:
    """The pack calls what the host's nodes call, never these nodes: their inputs and classes are no interface."""
    return [
        f"{path}:{found.line} imports {found.name}, where the host's node classes are"
        for path, source in sources.items()
        if part_of(path) in PARTS
        for found in imports(path, source)
        if not found.ours and found.top in HOST_NODE_CLASSES
    ]


def circles(sources: Sources) -> list[str]:
    """Files that import one another, over however many others, also where a function or a type checker alone does."""
    towards = {
        path: {file for found in imports(path, source) if found.ours and (file := file_of(found.name, sources))}
        for path, source in sources.items()
    }
    reached = {path: _reachable(path, towards) for path in towards}
    rings = {frozenset(other for other in reached[path] if path in reached[other]) for path in towards if path in reached[path]}
    return [" <-> ".join(sorted(ring)) for ring in sorted(rings, key=sorted)]


def _reachable(start: str, towards: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        for file in towards[ahead.pop()] - seen:
            seen.add(file)
            ahead.append(file)
    return seen


def many_arguments(sources: Sources) -> list[str]:
    """Functions of the cores with more than MOST_ARGUMENTS arguments that are not in HOST_SIGNATURES; and what is there
    without need."""
    counted = {
        f"{path}: {name}": count
        for path, source in sources.items()
        if part_of(path) in CORES
        for name, count in _arguments(ast.parse(source))
    }
    many = {name: count for name, count in counted.items() if count > MOST_ARGUMENTS}
    return [f"{name} takes {count} arguments" for name, count in many.items() if name not in HOST_SIGNATURES] + [
        f"{name} needs no exception" for name in HOST_SIGNATURES - set(many)
    ]


def _arguments(tree: ast.AST, within: str = "") -> Iterator[tuple[str, int]]:
    """Every function, by its qualified name, with its number of arguments; self and cls are none, *args is one."""
    for node in ast.iter_child_nodes(tree):
        inside = within
        if isinstance(node, ast.ClassDef):
            inside = f"{within}{node.name}."
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            taken = node.args
            given = (*taken.posonlyargs, *taken.args, *taken.kwonlyargs, taken.vararg, taken.kwarg)
            names = [item.arg for item in given if item]
            own = getattr(node, "name", f"lambda in line {node.lineno}")
            yield f"{within}{own}", len(names) - (names[:1] in (["self"], ["cls"]))
            inside = f"{within}{own}."
        yield from _arguments(node, inside)


CHECKS = (wrong_parts, wrong_floors, host_outside_its_places, host_node_classes, circles, many_arguments)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_house_stands(check):
    assert check(REAL) == []


def test_everything_is_read():
    assert {part_of(path) for path in REAL} >= {*PARTS, "tools", "benchmarks", "tests"}
    assert sum(len(imports(path, source)) for path, source in REAL.items()) > 1000
    for part, floors in FLOORS.items():
        assert {path.split("/")[1] for path in REAL if path.startswith(f"{part}/")} == {*floors, "__init__.py"}


SEVEN = "def planted(a, b, c, *, d=0, e=0, **more): ...\ndef wrong(self_, b, c, d, /, e, f, *g): ..."
PLANTED = [
    (wrong_parts, "time_core/equations/solve.py", "from ...diffedit_core.model import noise", "diffedit_core.model.noise"),
    (wrong_parts, "diffedit_core/model/noise.py", "from ...time_core.equations.solve import leak", "time_core.equations.solve"),
    (wrong_parts, "diffedit_core/model/noise.py", "import time_diffedit.time_core.balance.plot", "time_core.balance.plot"),
    (wrong_parts, "time_core/balance/search.py", "from ...nodes.shared import time_inputs", "nodes.shared.time_inputs"),
    (wrong_parts, "time_core/balance/search.py", "from ...routes import alignment", "routes.alignment"),
    (wrong_parts, "time_core/balance/search.py", "def later():\n    from tools.comfyui import client", "tools.comfyui.client"),
    (wrong_parts, "diffedit_core/mask/rules.py", "from benchmarks.data import timed", "benchmarks.data.timed"),
    (wrong_parts, "nodes/diffedit/ddim_invert.py", "from toyworld.judge import judge", "tests.toyworld.judge"),
    (wrong_parts, "nodes/shared/sockets.py", "from ...extension import comfy_entrypoint", "extension.comfy_entrypoint"),
    (wrong_floors, "time_core/prompts/text.py", "from ..reading.projector import projector_of", "reading.projector"),
    (wrong_floors, "time_core/reading/projector.py", "from ..application import hook", "application.hook"),
    (wrong_floors, "time_core/balance/probe.py", "import time_core.application.adapter", "application.adapter"),
    (wrong_floors, "time_core/reading/families/joint.py", "from ..projections import family_of", "reading.projections"),
    (wrong_floors, "diffedit_core/model/noise.py", "from ..mask import rules", "mask.rules"),
    (wrong_floors, "diffedit_core/mask/rules.py", "from ..inversion.levels import x", "inversion.levels"),
    (wrong_floors, "diffedit_core/inversion/levels.py", "from ..repaint import composite", "repaint.composite"),
    (wrong_floors, "diffedit_core/prompts/captions.py", "from ..mask.heatmap import Heatmap", "mask.heatmap"),
    (wrong_floors, "nodes/shared/places.py", "from ..time import time_balance", "nodes.time.time_balance"),
    (wrong_floors, "nodes/time/time_balance.py", "from ..diffedit import ddim_invert", "nodes.diffedit.ddim_invert"),
    (wrong_floors, "time_core/equations/solve.py", "from .. import *", "imports time_core.*"),
    (wrong_floors, "time_core/helpers.py", "", "lies in none of the folders"),
    (host_outside_its_places, "time_core/equations/solve.py", "import comfy.sd", "equations.solve, line"),
    (host_outside_its_places, "diffedit_core/mask/rules.py", "from folder_paths import models_dir", "folder_paths.models_dir"),
    (
        host_outside_its_places,
        "time_core/prompts/text.py",
        "if TYPE_CHECKING:\n    from comfy.sd import CLIP",
        "comfy.sd.CLIP",
    ),
    (host_node_classes, "nodes/time/time_balance.py", "from nodes import common_ksampler", "nodes.common_ksampler"),
    (host_node_classes, "nodes/diffedit/ddim_invert.py", "import comfy_extras.nodes_mask", "comfy_extras.nodes_mask"),
    (circles, "time_core/prompts/pairs.py", "from .parsing import plain", "prompts/pairs.py <-> "),
    (circles, "tools/suites.py", "import tools.suites", "tools/suites.py"),
    (circles, "tests/toyworld/world.py", "if TYPE_CHECKING:\n    from toyworld.judge import judge", "tests/toyworld/judge.py"),
    (many_arguments, "time_core/equations/solve.py", SEVEN, "solve.py: wrong takes 7 arguments"),
    (
        many_arguments,
        "diffedit_core/mask/rules.py",
        "class A:\n    def b(self, c, d, e, f, g, h, i): ...",
        "rules.py: A.b takes 7",
    ),
]


@pytest.mark.parametrize(("check", "path", "line", "named"), PLANTED)
def test_a_planted_line_is_found(check, path, line, named):
    """One finding more than without it, which names it."""
    (found,) = set(check({**REAL, path: f"{REAL.get(path, '')}\n{line}\n"})) - set(check(REAL))
    assert named in found


def test_a_module_that_is_named_for_the_host_without_need_is_found():
    path = "time_core/balance/probe.py"
    without = "\n".join(line for line in REAL[path].splitlines() if not line.startswith("import comfy"))
    (found,) = set(host_outside_its_places({**REAL, path: without})) - set(host_outside_its_places(REAL))
    assert found == "time_core.balance.probe does not import the host, and the docstring of time_core names it"
