"""What a node is given, drawn from its own schema: mostly what fits together, with up to two inputs that are something else."""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from comfy_api.latest import io
from hypothesis import strategies as st

from . import wrong
from .objects import pools

LITTLE = 3  # above the least value of a whole number: most of them are counts, and large ones take long
AS_LITTLE = 16  # times as likely as a default and a maximum
MOSTLY = 8  # times as likely as another value: the default
LARGEST = {"width": 128, "height": 128}  # of what takes memory that no interrupt can end
HOW_MANY_WRONG = (0, 0, 1, 1, 1, 2)


@dataclass(frozen=True)
class Drawn:
    """A value, shown as its label."""

    label: str
    value: Any

    def __repr__(self) -> str:
        return self.label

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # hypothesis would show the value itself
        printer.text(repr(self))


@dataclass(frozen=True)
class Place:
    """Where a value belongs: in `container`, under the name of the input `one`."""

    container: dict[str, Any]
    one: io.Input


@dataclass(frozen=True)
class Example:
    """A node and its inputs, by name; values are Drawn, and a choice is a dict of them."""

    node: type[io.ComfyNode]
    inputs: dict[str, Any]
    wrong: tuple[str, ...]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.inputs.items())
        return f"{self.node.__name__}({shown}; wrong: {', '.join(self.wrong) or 'nothing'})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def values(self) -> dict[str, Any]:
        """As the host hands them to `execute`."""
        return _values(self.inputs)


@st.composite
def examples(draw: st.DrawFn, node: type[io.ComfyNode]) -> Example:
    """For any node whose sockets are in `objects`."""
    inputs: dict[str, Any] = {}
    places = list(_filled(draw, node.GET_SCHEMA().inputs, inputs))
    changed = []
    for _ in range(draw(st.sampled_from(HOW_MANY_WRONG))):
        place = places[draw(st.integers(0, len(places) - 1))]
        place.container[place.one.id] = draw(_wrong(place.one))
        changed.append(place.one.id)
    return Example(node, inputs, tuple(changed))


def _filled(draw: st.DrawFn, inputs: Iterable[io.Input], container: dict[str, Any]) -> Iterator[Place]:
    """Puts what fits into `container`; gives every place where it could be something else."""
    for one in inputs:
        if one.optional and draw(st.integers(0, 3)) == 0:
            continue
        if isinstance(one, io.DynamicCombo.Input):
            option = draw(st.sampled_from(one.options))
            container[one.id] = {one.id: Drawn(option.key, option.key)}
            yield from _filled(draw, option.inputs, container[one.id])
        elif isinstance(one, io.Autogrow.Input):
            names = one.template.names[: one.template.min + draw(st.integers(0, 2))]
            of = one.template.input
            container[one.id] = {name: draw(_fitting(of)) for name in names}
            yield from (Place(container[one.id], _named(of, name)) for name in names)
        else:
            container[one.id] = draw(_fitting(one))
        yield Place(container, one)


def _named(one: io.Input, name: str) -> io.Input:
    """The same input under another name, as the host makes them of a template."""
    result = copy.copy(one)
    result.id = name
    return result


def _fitting(one: io.Input) -> st.SearchStrategy[Drawn]:
    if isinstance(one, io.Int.Input):
        high = min(one.max, LARGEST.get(one.id, one.max))
        little = list(range(one.min, min(one.min + LITTLE, high) + 1))
        return _of_values([*little * AS_LITTLE, min(one.default or one.min, high), high])
    if isinstance(one, io.Float.Input):
        usual = _of_values([*[one.default] * MOSTLY, one.min, one.max])
        return st.one_of(usual, usual, st.floats(one.min, one.max).map(_shown))
    if isinstance(one, io.Boolean.Input):
        return _of_values([*[one.default] * MOSTLY, True, False])
    if one.id == "strokes":
        return st.one_of(_of_values([one.default, *wrong.STROKES]), stroke_texts().map(_shown))
    if isinstance(one, io.String.Input):
        return _of_values([*[one.default or "a rose"] * MOSTLY, "a rose", "a red rose"])
    if isinstance(one, io.Combo.Input):
        options = list(one.options) or [""]
        return _of_values([*[one.default or options[0]] * MOSTLY, *options])
    return _labelled(pools()[one.io_type].fitting)


def _wrong(one: io.Input) -> st.SearchStrategy[Drawn]:
    if isinstance(one, (io.Int.Input, io.Float.Input)):
        return st.one_of(_of_values(wrong.numbers(one)), st.floats().map(_shown), st.integers().map(_shown))
    if isinstance(one, io.Boolean.Input):
        return _of_values([None, 2, "yes", float("nan")])
    if one.id == "strokes":
        texts = st.one_of(st.sampled_from(wrong.STROKES), stroke_texts(pictures=9)).filter(bool)
        return st.one_of(_of_values((*wrong.TEXTS, *wrong.NO_TEXTS, *wrong.NO_STROKES)), damaged_text(texts).map(_shown))
    if isinstance(one, io.String.Input):
        return st.one_of(_of_values(wrong.TEXTS), _of_values(wrong.NO_TEXTS), st.text(max_size=40).map(_shown))
    if isinstance(one, io.Combo.Input):
        return _of_values(wrong.CHOICES)
    if isinstance(one, io.DynamicCombo.Input):
        return _of_values([None, {}, *({one.id: choice} for choice in wrong.CHOICES), {one.id: one.options[-1].key}])
    if isinstance(one, io.Autogrow.Input):
        return _of_values([{}, {one.template.names[0]: None}])
    return _labelled(pools()[one.io_type].others)


@st.composite
def stroke_texts(draw: st.DrawFn, pictures: int = 1) -> str:
    """What a person may have drawn on so many pictures."""
    numbers = st.integers(0, 10_000)
    place = st.integers(1, pictures).map(str)
    points = st.lists(st.builds("{},{}".format, numbers, numbers), min_size=1, max_size=5).map(" ".join)
    brush = st.builds("{} {} {} {}".format, st.sampled_from(["paint", "erase"]), place, st.integers(1, 10_000), points)
    area = st.builds("{} {} {},{}".format, st.sampled_from(["add", "remove"]), place, numbers, numbers)
    return "; ".join(draw(st.lists(st.one_of(brush, area), max_size=4)))


def damaged_text(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """With a piece of it gone, and another in its place."""

    def changed(text: str, at: int, length: int, piece: str) -> str:
        at %= len(text)
        return text[:at] + piece + text[at + length :]

    pieces = st.one_of(
        st.sampled_from(["", ";", " ", "-", ".", "0", "99999", "1e3", "paint", "add 9.9 1,1;"]), st.text(max_size=3)
    )
    return st.builds(changed, texts, st.integers(0, 1000), st.integers(0, 4), pieces)


def _of_values(values: Iterable[Any]) -> st.SearchStrategy[Drawn]:
    return st.sampled_from([_shown(value) for value in values])


def _labelled(values: dict[str, Any]) -> st.SearchStrategy[Drawn]:
    return st.sampled_from([Drawn(f"<{label}>", value) for label, value in values.items()])


def _shown(value: Any) -> Drawn:
    text = repr(value)
    return Drawn(text if len(text) < 80 else f"{text[:60]}... ({len(text)} characters)", value)


def _values(inputs: Any) -> Any:
    if isinstance(inputs, dict):
        return {name: _values(value) for name, value in inputs.items()}
    return inputs.value
