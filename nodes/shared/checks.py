"""What every node checks, whatever it does: what it is given before it begins, and that what it gives is finite.

The host compares numbers with their bounds only where they are typed, not where they are linked, and not a number passes even
there. What is wrong with typed values is found by the same checks when the run is queued, before any node starts; what depends
on the model or on what is linked is checked by the nodes themselves.
"""

import math
import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter, signature
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from comfy_api.latest import io

from .choice import chosen

DEEPEST = 100  # parentheses in parentheses; the host reads them by recursion
COLOURS = 3
PROMPT_DIMENSIONS = 3
TYPED = (io.Int.Input, io.Float.Input, io.Boolean.Input, io.String.Input, io.Combo.Input)
PIECE = 2**22  # numbers
LARGEST = sys.float_info.max
Rules = tuple[Callable[..., Any], ...]


class CheckedNode(io.ComfyNode):
    """A node whose inputs are checked when the run is queued, as far as they are typed, and all of them before it begins.

    `RULES` are functions that raise ValueError for values that do not go together; their parameters are called as the inputs.
    """

    RULES: ClassVar[Rules] = ()

    @classmethod
    def validate_inputs(cls, **given: Any) -> bool | str:
        """Asked by the host before a run; what is linked is None there."""
        linked = {name for name, value in given.items() if value is None}
        try:
            check(cls.define_schema().inputs, cls.RULES, _typed(given), linked)
        except ValueError as error:
            return str(error)
        return True


def check(inputs: Collection[io.Input], rules: Rules, given: dict[str, Any], unknown: Collection[str] = ()) -> None:
    """Raises ValueError for the first of `inputs` or `rules` that does not hold; rules that read `unknown` ones are left."""
    check_inputs(inputs, given)
    for rule in rules:
        reads = signature(rule).parameters
        needed = {name for name, parameter in reads.items() if parameter.default is Parameter.empty}
        if needed <= given.keys() and not reads.keys() & set(unknown):
            rule(**{name: given[name] for name in reads if name in given})
    check_options(inputs, given)


def _typed(given: dict[str, Any]) -> dict[str, Any]:
    """Without what is linked, in choices too."""
    known = {name: value for name, value in given.items() if value is not None}
    return {name: _typed(value) if isinstance(value, dict) else value for name, value in known.items()}


def checked(execute: Callable[..., io.NodeOutput]) -> Callable[..., io.NodeOutput]:
    """For `execute` of every node. Raises ValueError that names the input, its value and what to do."""
    described = signature(execute)

    @wraps(execute)
    def run(cls: type[CheckedNode], *args: Any, **kwargs: Any) -> io.NodeOutput:
        given = described.bind(cls, *args, **kwargs).arguments
        for name, parameter in described.parameters.items():
            if parameter.kind is Parameter.VAR_KEYWORD:
                given |= given.pop(name, {})
        schema = cls.define_schema()  # once, as it may list folders
        check(schema.inputs, cls.RULES, given)
        found = execute(cls, *args, **kwargs)
        for output, value in zip(schema.outputs, found.args, strict=False):
            if not is_finite(value):
                made_of = ", ".join(named(one) for one in schema.inputs if given.get(one.id) is not None)
                raise ValueError(
                    f"{output.display_name} would hold numbers that are not finite: the model or its text encoder overflows. "
                    "Run it in float32 or bfloat16 (--force-fp32, --bf16-unet), or choose a lower cfg or strength. It was made "
                    f"of: {made_of}."
                )
        return found

    return run


def check_inputs(inputs: Iterable[io.Input], given: dict[str, Any]) -> None:
    """Raises ValueError for the first of `inputs` whose value is none that its node can read."""
    for one in inputs:
        value = given.get(one.id)
        if isinstance(one, io.DynamicCombo.Input):
            if value is not None or not one.optional:
                options = {option.key: option.inputs for option in one.options}
                check_inputs(options[chosen(one.id, value, options).option], value or {})
        elif value is not None:
            check_value(one, value)
        elif one.id in given and isinstance(one, TYPED):
            raise ValueError(f"{named(one)} is empty; connect what gives a value, or nothing, to use the one on the node.")
        elif one.id in given and not one.optional:
            raise ValueError(f"{named(one)} is empty; connect a loader: not every checkpoint has a text encoder or a VAE.")


def check_options(inputs: Iterable[io.Input], given: dict[str, Any]) -> None:
    """Raises ValueError for a choice that is none; a rule of the node may have found it before, and known better what to do."""
    for one in inputs:
        value = given.get(one.id)
        if isinstance(one, io.Combo.Input) and value is not None and value not in one.options:
            raise ValueError(f"{named(one)} is {value!r}; choose one of {', '.join(map(str, one.options)) or 'none'}.")


def check_value(one: io.Input, value: Any) -> None:
    """Raises ValueError if the input `one` cannot take `value`."""
    if isinstance(one, (io.Int.Input, io.Float.Input)):
        _check_number(named(one), value, one)
    elif isinstance(one, io.Boolean.Input) and not (isinstance(value, Integral) and value in (0, 1)):
        raise ValueError(f"{named(one)} is {value!r}; it must be true or false.")
    elif isinstance(one, io.Combo.Input) and not isinstance(value, str):
        raise ValueError(f"{named(one)} is {value!r}; choose one of its options.")
    elif isinstance(one, io.String.Input):
        _check_text(named(one), value)
    elif isinstance(one, io.Image.Input):
        _check_pictures(named(one), value)
    elif isinstance(one, io.Conditioning.Input):
        _check_prompt(named(one), value)
    elif isinstance(one, io.Latent.Input) and not (isinstance(value, dict) and hasattr(value.get("samples"), "shape")):
        raise ValueError(f"{named(one)} holds no samples; connect VAE Encode, or another node that gives a latent.")


def named(one: io.Input) -> str:
    """What the user sees as the input's name."""
    return one.display_name or one.id


def is_finite(value: Any) -> bool:
    """Whether all numbers in `value` are finite, through tensors, containers and frozen values. What is a model, a sampler or
    another object of the host's holds none that are looked at."""
    if isinstance(value, torch.Tensor):
        # In pieces: of a long video's trajectory the check itself would take twice its memory.
        return value.is_nested or all(bool(torch.isfinite(piece).all()) for piece in value.reshape(-1).split(PIECE))
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(is_finite, value))
    return not is_dataclass(value) or all(is_finite(getattr(value, field.name)) for field in fields(value))


def _check_number(name: str, value: Any, bounds: io.Int.Input | io.Float.Input) -> None:
    whole = isinstance(bounds, io.Int.Input)
    low, high = (least if bound is None else bound for bound, least in ((bounds.min, -LARGEST), (bounds.max, LARGEST)))
    number: Any = value if isinstance(value, Real) else math.nan  # which lies between no bounds
    if not low <= number <= high or (whole and not isinstance(number, Integral)):
        raise ValueError(f"{name} is {value!r}; it must be a {'whole ' * whole}number from {low:g} to {high:g}.")


def _check_text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise ValueError(f"{name} is a {type(value).__name__}; it must be a text.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name} holds half a character ({value[error.start]!r} at {error.start + 1}), as a broken copy does; type it anew."
        ) from None
    if (depth := _depth(value)) > DEEPEST:
        raise ValueError(
            f"{name} has {depth} parentheses in one another, and no prompt is read with more than {DEEPEST}; remove them, or "
            "write \\( and \\) for real ones."
        )


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text.replace("\\(", "").replace("\\)", ""):
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    return deepest


def _check_pictures(name: str, value: Any) -> None:
    if not isinstance(value, torch.Tensor) or value.ndim != 4 or value.numel() == 0 or value.shape[-1] < COLOURS:
        shape = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
        raise ValueError(
            f"{name} has the shape {shape}; it must be (pictures, height, width, 3 colours or more). Convert a mask by Convert "
            "Mask to Image."
        )
    if not is_finite(value):
        raise ValueError(f"{name} contains values that are not finite; if it comes from VAE Decode, run the VAE in float32.")


def _check_prompt(name: str, value: Any) -> None:
    if not value:
        raise ValueError(f"{name} holds no prompt; connect CLIP Text Encode.")
    for rows in (rows for rows, _ in value if isinstance(rows, torch.Tensor)):
        if rows.numel() == 0:
            raise ValueError(f"{name} has no tokens (shape {tuple(rows.shape)}); encode a prompt, which may be empty.")
        if rows.ndim < PROMPT_DIMENSIONS:
            raise ValueError(f"{name} has the shape {tuple(rows.shape)}; it must be (prompts, tokens, width).")
        if not is_finite(rows):
            raise ValueError(
                f"{name} contains values that are not finite; run the text encoder in float32, and weigh words less."
            )
