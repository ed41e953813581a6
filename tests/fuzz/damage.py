"""Files as they may lie on a disk: with bits flipped, cut off, and with other contents under a checksum that fits."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import torch
from hypothesis import strategies as st
from safetensors.torch import load, save

POSITIONS = st.integers(0, 2**24)
JSON = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        0.5,
        -0.5,
        1e-300,
        1e308,
        10**30,
        10**400,
        "",
        "a",
        "all",
        "\ud83d",
        "x" * 300,
        [],
        [[]],
        [0],
    ]
    + [[1, 2], ["a"], {}, {"a": 1}, float("nan"), float("inf"), [[0, 0]], [1e308] * 32, "softly", "exactly"]
)
GONE = object()


def damaged(whole: bytes) -> st.SearchStrategy[bytes]:
    """`whole` with a few bits flipped, cut off, with bytes put in, or with a part of it gone."""

    def flipped(bits: list[int]) -> bytes:
        changed = bytearray(whole)
        for bit in bits:
            changed[bit // 8 % len(changed)] ^= 1 << bit % 8
        return bytes(changed)

    def put_in(place: int, more: bytes) -> bytes:
        at = place % len(whole)
        return whole[:at] + more + whole[at:]

    def without(place: int, length: int) -> bytes:
        at = place % len(whole)
        return whole[:at] + whole[at + length :]

    return st.one_of(
        st.lists(POSITIONS, min_size=1, max_size=3).map(flipped),
        st.lists(st.integers(0, 8 * 1200), min_size=1, max_size=3).map(flipped),  # of the header
        POSITIONS.map(lambda length: whole[: length % len(whole)]),
        st.builds(put_in, POSITIONS, st.binary(min_size=1, max_size=16)),
        st.builds(without, POSITIONS, st.integers(1, 64)),
        st.binary(max_size=64),
    )


def changed_json(of: Any) -> st.SearchStrategy[Any]:
    """`of`, as JSON holds it, with one or two of its values gone or something else."""
    paths = list(_paths(of))

    def changed(changes: list[tuple[int, Any]]) -> Any:
        result = copy.deepcopy(of)
        for at, value in changes:
            _put(result, paths[at], value)
        return result

    one = st.tuples(st.integers(0, len(paths) - 1), st.one_of(JSON, JSON, st.just(GONE)))
    return st.lists(one, min_size=1, max_size=2).map(changed)


def resealed(whole: bytes, report: str, seal: Callable[[str, dict[str, torch.Tensor]], str]) -> st.SearchStrategy[bytes]:
    """The safetensors file `whole` with something else in its metadata's JSON `report`, or with other tensors, under a checksum
    as `seal` makes it."""
    tensors, metadata = load(whole), metadata_of(whole)

    def made(text: str, others: dict[str, torch.Tensor]) -> bytes:
        held = {name: tensor.clone() for name, tensor in (tensors | others).items()}  # none shares memory with another
        return save(held, metadata | {report: text, "sha256": seal(text, held)})

    texts = changed_json(json.loads(metadata[report])).map(json.dumps)
    others = st.dictionaries(st.sampled_from(sorted(tensors)), st.sampled_from(list(_others(tensors))), min_size=1)
    return st.one_of(
        st.builds(made, texts, st.just({})), st.builds(made, st.just(metadata[report]), others), st.builds(made, texts, others)
    )


def metadata_of(whole: bytes) -> dict[str, str]:
    return json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])["__metadata__"]


def _others(tensors: dict[str, torch.Tensor]) -> Iterator[torch.Tensor]:
    for tensor in tensors.values():
        yield from (tensor[:0], tensor[:1], tensor.half(), tensor.double(), tensor * 0, -tensor, tensor * float("nan"))
        yield from (tensor * 1e19, tensor * 1e-30, tensor[..., :1].contiguous(), tensor[None], tensor.flatten())


def _paths(of: Any, path: tuple = ()) -> Iterator[tuple]:
    if path:
        yield path
    items = of.items() if isinstance(of, dict) else enumerate(of) if isinstance(of, list) else ()
    for key, value in items:
        yield from _paths(value, (*path, key))


def _put(root: Any, path: tuple, value: Any) -> None:
    """Nothing where an earlier change took the place away."""
    try:
        for key in path[:-1]:
            root = root[key]
        if value is GONE:
            del root[path[-1]]
        else:
            root[path[-1]] = copy.deepcopy(value)
    except (KeyError, IndexError, TypeError):
        return
