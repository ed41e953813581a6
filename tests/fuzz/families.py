"""All families, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from time_diffedit.nodes import NODES

from . import bar, files, inputs
from .bar import Tally


@dataclass(frozen=True)
class Family:
    """`examples` are drawn from, and `hold` raises for one that does not hold, else notes how it ended."""

    examples: st.SearchStrategy[Any]
    hold: Callable[[Any, Tally], None]


def families() -> dict[str, Family]:
    of_nodes = {node.GET_SCHEMA().node_id: Family(inputs.examples(node), bar.hold) for node in NODES}
    return of_nodes | {name: Family(*family) for name, family in files.families().items()}
