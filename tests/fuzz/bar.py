"""What every example has to hold: a proper result, or a ValueError that names an input; nothing that it was given changes."""

import functools
import re
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import comfy.model_management
import torch
from comfy_api.latest import io
from time_diffedit.nodes.shared.checks import TYPED, CheckedNode, named

from . import objects, outputs
from .inputs import Example

PATIENCE = 0.4  # seconds after which a run is interrupted, as a user does whose settings were too large
LATEST = 20.0  # seconds within which it has to be heard, on a machine with other things to do


@dataclass
class Tally:
    """How the examples of a family ended, and the longest that an interrupt took to be heard."""

    ends: Counter[str] = field(default_factory=Counter)
    latest: float = 0.0

    def __iadd__(self, other: "Tally") -> "Tally":
        self.ends.update(other.ends)
        self.latest = max(self.latest, other.latest)
        return self


def hold(example: Example, tally: Tally) -> None:
    """Run the example. AssertionError, or whatever the node raises, if it does not hold."""
    node, given = example.node, example.values()
    before = sums(outputs.tensors_of(given))
    refusal = _validated(node, given)
    if refusal:
        _require_name(node, refusal)
    try:
        with torch.inference_mode(), interrupted_after(PATIENCE) as interrupt:
            found = node.execute(**given)
            _check_outputs(node, found)
        assert not refusal, f"what runs was refused before: {refusal}"
        end = "result"
    except ValueError as error:
        _require_name(node, str(error))
        of_itself = any(_says(str(error), name) for name in example.wrong)
        end = "refused, named" if of_itself else "refused"
    except comfy.model_management.InterruptProcessingException:
        assert interrupt.sent, "nobody interrupted"
        end = "interrupted"
        tally.latest = max(tally.latest, time.monotonic() - interrupt.at)
    finally:
        comfy.model_management.interrupt_current_processing(False)
        comfy.model_management.unload_all_models()
    assert sums(outputs.tensors_of(given)) == before, "an input was changed"
    assert sums(_model()) == _sums_at_first()[: len(_model())], "a weight of the model was changed"
    assert tally.latest < LATEST, f"an interrupt was heard {tally.latest:.1f} s late"
    tally.ends[end] += 1


class Interrupt:
    """Whether and when it was sent."""

    sent, at = False, 0.0

    def send(self, *_: object) -> None:
        self.sent, self.at = True, time.monotonic()
        comfy.model_management.interrupt_current_processing()


@contextmanager
def interrupted_after(seconds: float) -> Iterator[Interrupt]:
    interrupt = Interrupt()
    before = signal.signal(signal.SIGALRM, interrupt.send)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield interrupt
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def names_of(inputs: Iterable[io.Input]) -> Iterator[str]:
    """All names that a message may call an input by."""
    for one in inputs:
        yield from {one.id, named(one)}
        if isinstance(one, io.DynamicCombo.Input):
            for option in one.options:
                yield from names_of(option.inputs)
        elif isinstance(one, io.Autogrow.Input):
            yield from one.template.names


def sums(tensors: Iterable[torch.Tensor]) -> list[int]:
    """A sum of the bits of each tensor, which any change changes but for a coincidence."""
    return [_sum(tensor) for tensor in tensors]


def check_shared() -> None:
    """AssertionError if a weight of any object that examples share has changed. Takes a second."""
    assert sums(_shared()) == _sums_at_first(), "a shared weight was changed"


def _sum(tensor: torch.Tensor) -> int:
    flat = tensor.contiguous().view(-1)
    return int(flat.view(torch.int32 if tensor.element_size() == 4 else torch.uint8).sum()) if len(flat) else 0


@functools.cache
def _model() -> list[torch.Tensor]:
    """The weights of the model that is in most examples; the first of `_shared`."""
    return list(objects.model().model.state_dict().values())


@functools.cache
def _shared() -> list[torch.Tensor]:
    pools = objects.pools()
    models = (pools["MODEL"].fitting | pools["MODEL"].others).values()
    others = [model.model for model in models if model is not None]
    for kind, name in (("CLIP", "cond_stage_model"), ("VAE", "first_stage_model"), ("CLIP_VISION", "model")):
        values = (pools[kind].fitting | pools[kind].others).values()
        others += [getattr(value, name) for value in values if value is not None]
    return _model() + [tensor for module in others for tensor in module.state_dict().values()]


@functools.cache
def _sums_at_first() -> list[int]:
    return sums(_shared())


def _validated(node: type[io.ComfyNode], given: dict[str, Any]) -> str:
    """What the host would say before it runs the node, were all typed that can be."""
    if not issubclass(node, CheckedNode):
        return ""
    sockets = {one.id for one in node.define_schema().inputs if not isinstance(one, (*TYPED, io.DynamicCombo.Input))}
    found = node.validate_inputs(**{name: None if name in sockets else value for name, value in given.items()})
    return found if isinstance(found, str) else ""


def _require_name(node: type[io.ComfyNode], message: str) -> None:
    names = set(names_of(node.GET_SCHEMA().inputs))
    assert any(_says(message, name) for name in names), f"no input is named: {message!r}"


def _says(message: str, name: str) -> bool:
    return re.search(rf"(?<![\w]){re.escape(name)}(?![\w])", message) is not None


def _check_outputs(node: type[io.ComfyNode], found: io.NodeOutput) -> None:
    schema = node.GET_SCHEMA()
    assert len(found.args) == len(schema.outputs), "as many outputs as in the schema"
    for output, value in zip(schema.outputs, found.args, strict=True):
        outputs.check(output.io_type, value)
    outputs.check_shown(found.ui)
