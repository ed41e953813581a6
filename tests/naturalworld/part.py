"""Networks that learn together: their optimizer, slow averages, the pace, and a file to go on from."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from toyworld.train import reseed, save


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
        groups = [
            {"params": list(network.parameters()), "rate": course.rate * (rates or {}).get(name, 1.0)}
            for name, network in live.items()
        ]
        on_gpu = next(live.parameters()).is_cuda
        self.optimizer = torch.optim.AdamW(groups, lr=course.rate, betas=(0.9, 0.99), weight_decay=0.01, fused=on_gpu)
        if file.exists():
            stored = torch.load(file, map_location="cuda" if on_gpu else "cpu")
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

    def learn(self, loss: torch.Tensor) -> None:
        """One step down `loss`: cosine rate after a warm-up, clipped gradients."""
        falling = 0.02 + 0.49 * (1 + math.cos(math.pi * min(1.0, self.progress)))
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * min(1, (self.done + 1) / self.course.warm_up) * falling
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.live.parameters(), 1.0)
        self.optimizer.step()
        weight = min(self.course.average, (self.done + 1) / (self.done + 20))
        live = [parameter.detach() for name in self.average for parameter in self.live[name].parameters()]
        torch._foreach_lerp_(list(self.average.parameters()), live, 1 - weight)
        self.done += 1

    def run(self, name: str, seed: int, loss_of_step: Callable[[], tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Learn to the end of the course; `loss_of_step()` gives the loss and a number to show."""
        shown, last, started, before = None, time.monotonic(), time.monotonic(), self.spent
        while self.progress < 1:
            reseed(seed, self.done)
            loss, number = loss_of_step()
            self.learn(loss)
            shown = number.detach() if shown is None else torch.lerp(shown, number.detach(), 0.02)
            if self.done % 50 == 0:  # waits for the device, so that the time is true
                value = shown.item()
            self.spent = before + time.monotonic() - started
            if self.done % self.course.save_every == 0 or self.progress >= 1:
                self.keep()
            if self.done % 50 == 0 and time.monotonic() - last > 5:
                last = time.monotonic()
                pace = self.done * self.course.batch / self.spent
                print(f"{name}: {self.progress:5.1%}  step {self.done}  {value:.4f}  {pace:.0f} pictures/s", flush=True)
