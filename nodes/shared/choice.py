"""Choices that bring settings of their own: what `execute` is given for a DynamicCombo."""

from collections.abc import Collection
from typing import Any, NamedTuple

from comfy_api.latest import io


class Chosen(NamedTuple):
    """An option, and its settings by name without those that are left out."""

    option: str
    settings: dict[str, Any]


def chosen(name: str, value: dict[str, Any] | None, options: Collection[str]) -> Chosen:
    """
    Args:
        name: of the input.
        value: {name: option, setting: value, ...}; None where the host was given no option that it knows.
        options: what can be chosen.

    Raises:
        ValueError: none of them is.
    """
    if value is None or value.get(name) not in tuple(options):  # a list is hashed by no dictionary
        given = "missing, or not an option" if value is None else repr(value.get(name))
        raise ValueError(f"{name} is {given}; choose one of {', '.join(options)}.")
    return Chosen(value[name], {key: setting for key, setting in value.items() if key != name and setting is not None})


def shown_as(name: str, choice: Chosen) -> dict[str, Any]:
    """The option and its settings under the names that their widgets have in the browser."""
    return {name: choice.option} | {f"{name}.{key}": value for key, value in choice.settings.items()}


def seed_of_choice(tooltip: str) -> io.Int.Input:
    """A seed among the settings of an option. The browser cannot take away a "control after generate" with the option."""
    return io.Int.Input("seed", default=0, min=0, max=0xFFFFFFFFFFFFFFFF, control_after_generate=False, tooltip=tooltip)
