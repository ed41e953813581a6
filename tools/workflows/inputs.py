"""A node's inputs in the order in which the browser puts them on the node.

Those of a choice's option follow the choice; a growing input is the sockets that it has grown.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CHOICE = "COMFY_DYNAMICCOMBO_V3"  # the host's DynamicCombo
GROWING = "COMFY_AUTOGROW_V3"  # the host's Autogrow: as many sockets as are connected
COMPARE = "IMAGECOMPARE"  # the view of the host's Compare Images: a widget whose value is sent, but not kept in a workflow
WIDGET_TYPES = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", CHOICE, COMPARE}
NO_PICTURES = {"__value__": ["", ""]}  # what the browser sends of that view before a run: a list that is no link


@dataclass(frozen=True)
class Input:
    """
    Attributes:
        name: of a setting of a choice "choice.setting", of a grown socket "input.socket", as in a prompt and in the browser.
        type: of its socket.
        options: of its schema.
    """

    name: str
    type: str
    options: Mapping[str, Any]

    @property
    def is_widget(self) -> bool:
        return self.type in WIDGET_TYPES and not self.options.get("forceInput")

    @property
    def is_saved(self) -> bool:
        """Whether a workflow keeps the widget's value."""
        return self.is_widget and self.type != COMPARE

    @property
    def default(self) -> Any:
        if self.type == COMPARE:
            return NO_PICTURES
        return self.options["options"][0]["key"] if self.type == CHOICE else self.options.get("default")


def inputs_of(info: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[Input]:
    """
    Args:
        info: the node's entry in /object_info.
        values: by name. What a choice is must be there once the choice was given out; else it is its default.
    """
    yield from _inputs(info["input"], values, "")


def _inputs(schema: Mapping[str, Mapping], values: Mapping[str, Any], prefix: str) -> Iterator[Input]:
    for kind in ("required", "optional"):
        for name, spec in schema.get(kind, {}).items():
            options = spec[1] if len(spec) > 1 else {}
            if spec[0] == GROWING:
                ((grown, *_),) = options["template"]["input"]["required"].values()
                grown_names = (f"{prefix}{name}.{each}" for each in options["template"]["names"])
                yield from (Input(each, grown, {}) for each in grown_names if each in values)
                continue
            found = Input(prefix + name, "COMBO" if isinstance(spec[0], list) else spec[0], options)
            yield found
            if found.type == CHOICE:
                chosen = values.get(found.name, found.default)
                (option,) = (option for option in options["options"] if option["key"] == chosen)
                yield from _inputs(option["inputs"], values, f"{found.name}.")
