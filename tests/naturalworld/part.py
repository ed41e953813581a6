"""Networks that learn together: their optimizer, slow averages, the pace, and a file to go on from."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from smallmodel.training import reseed, save
from torch import nn

LossOfStep = Callable[[], tuple[torch.Tensor, torch.Tensor]]
BEFORE_CAPTURE = 3  # steps, in which libraries choose their kernels and the optimizer makes its state


@dataclass(frozen=True)
class Course:
    """How long and how fast: up to `steps`, or for `seconds` where they are given."""

    batch: int
    rate: float
    steps: int = 0
    seconds: float = 0.0
    warm_up: int = 200
    average: float = 0.999
    save_every: int = 250


class Part:
    """`live` networks learn at `rates` (by name, 1 by default) times the course's; of those named in `shipped`, slow
    averages are kept. A part that is loaded goes on as if it had never stopped."""

    def __init__(
        self, file: Path, live: nn.ModuleDict, shipped: tuple[str, ...], course: Course, rates: dict[str, float] | None = None
    ):
        self.file, self.live, self.course, self.done, self.spent = file, live, course, 0, 0.0
        self.average = copy.deepcopy(nn.ModuleDict({name: live[name] for name in shipped})).requires_grad_(False)
        self.device = next(live.parameters()).device
        on_gpu = self.device.type == "cuda"
        groups = []
        for name, network in live.items():
            rate = course.rate * (rates or {}).get(name, 1.0)
            lr = torch.tensor(rate, device=self.device) if on_gpu else rate  # a captured step reads it from the card
            groups.append({"params": list(network.parameters()), "rate": rate, "lr": lr})
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=0.01, fused=on_gpu, capturable=on_gpu)
        if file.exists():
            stored = torch.load(file, map_location=self.device)
            self.done, self.spent = stored.pop("done"), stored.pop("spent")
            for name, state in stored.items():
                getattr(self, name).load_state_dict(state)

    @property
    def progress(self) -> float:
        """How much of the course is done, 1 at its end."""
        return self.spent / self.course.seconds if self.course.seconds else self.done / self.course.steps

    def keep(self) -> None:
        state = {name: getattr(self, name).state_dict() for name in ("live", "average", "optimizer")}
        save(self.file, state | {"done": self.done, "spent": self.spent})

    def set_rate(self) -> None:
        """A cosine after a warm-up."""
        falling = 0.02 + 0.49 * (1 + math.cos(math.pi * min(1.0, self.progress)))
        for group in self.optimizer.param_groups:
            rate = group["rate"] * min(1, (self.done + 1) / self.course.warm_up) * falling
            if torch.is_tensor(group["lr"]):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def descend(self, loss_of_step: LossOfStep) -> torch.Tensor:
        """One step down the loss, with clipped gradients; gives the number to show."""
        loss, number = loss_of_step()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.live.parameters(), 1.0)
        self.optimizer.step()
        return number.detach()

    def follow(self) -> None:
        """The slow averages' step."""
        weight = min(self.course.average, (self.done + 1) / (self.done + 20))
        live = [parameter.detach() for name in self.average for parameter in self.live[name].parameters()]
        torch._foreach_lerp_(list(self.average.parameters()), live, 1 - weight)
        self.done += 1

    def captured(self, loss_of_step: LossOfStep) -> Callable[[], torch.Tensor]:
        """`descend` as one CUDA graph: a step is thousands of small kernels, and starting each takes longer than it runs."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(BEFORE_CAPTURE):
                self.set_rate()
                self.descend(loss_of_step)
                self.follow()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            number = self.descend(loss_of_step)

        def replay() -> torch.Tensor:
            graph.replay()
            return number

        return replay

    def run(self, name: str, seed: int, loss_of_step: LossOfStep) -> None:
        """Learn to the end of the course; `loss_of_step()` gives the loss and a number to show.

        On a card it may not look at a value, since it is captured once and played again.
        """
        if self.progress >= 1:
            return
        step = self.captured(loss_of_step) if self.device.type == "cuda" else partial(self.descend, loss_of_step)
        shown, last, started, before = None, time.monotonic(), time.monotonic(), self.spent
        while self.progress < 1:
            reseed(seed, self.done)
            self.set_rate()
            number = step()
            self.follow()
            shown = number.clone() if shown is None else torch.lerp(shown, number, 0.02)
            if self.done % 50 == 0:  # waits for the device, so that the time is true
                value = shown.item()
            self.spent = before + time.monotonic() - started
            if self.done % self.course.save_every == 0 or self.progress >= 1:
                self.keep()
            if self.done % 50 == 0 and time.monotonic() - last > 5:
                last = time.monotonic()
                pace = self.done * self.course.batch / self.spent
                print(f"{name}: {self.progress:5.1%}  step {self.done}  {value:.4f}  {pace:.0f} pictures/s", flush=True)
