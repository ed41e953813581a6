"""DiffEdit, step 2: run sampling backwards with the host's guider."""

from dataclasses import dataclass
from typing import NamedTuple, cast

import comfy.model_management
import comfy.samplers
import comfy.utils
import latent_preview
import torch

from ..model.guidance import Guidance
from ..model.host_model import model_kind, noising, require_finite
from ..model.latents import Latents
from ..model.noising import Noising
from .memory import require_room, trajectory_bytes
from .methods import Options, method_named
from .methods.step import rms
from .regularisation import Regularisation, regularised
from .report import InversionReport
from .trajectory import Trajectory
from .way_back import way_back

PURE_NOISE = 1e-6
"""Share of the picture in a state below which a LATENT cannot hold it: some flow models' highest level is not quite 1."""


class Inversion(NamedTuple):
    """What an inversion gives.

    Attributes:
        samples: (B, C, ..., h, w) the noisiest state, as LATENT samples.
        trajectory: all states.
        report: what was done, and how exactly.
    """

    samples: torch.Tensor
    trajectory: Trajectory
    report: InversionReport


@dataclass(frozen=True, eq=False)
class Course:
    """How an inversion goes.

    Attributes:
        sigmas: (n + 1,) ascending from 0.
        method: one of METHODS.
        options: what the method reads.
        regularisation: of the noise predictions; None for none.
    """

    sigmas: torch.Tensor
    method: str
    options: Options = Options()
    regularisation: Regularisation | None = None


def invert_latent(
    model, latents: Latents, guidance: Guidance, course: Course, walk_back: bool = False, free: int | None = None
) -> Inversion:
    """Find the noise from which sampling under `guidance` makes these pictures.

    Args:
        model: MODEL.
        walk_back: sample back under the same prompts and report what that misses, for as many model calls again.
        free: bytes of memory that the trajectory may take; None: as many as the host says are free where it will lie.

    Raises:
        ValueError: unknown method, a last level that a LATENT cannot hold, a trajectory that does not fit into memory, or
            predictions that are not finite.
    """
    samples, sigmas = latents.samples, course.sigmas
    made_of = noising(model)
    if made_of.signal(float(sigmas[-1])) < PURE_NOISE:
        raise ValueError(
            f"the schedule starts at sigma {float(sigmas[-1]):.6g}, where a {type(model.model).__name__} state is noise alone "
            "and cannot be handed on as LATENT; start one level lower (Split Sigmas at step 1), or use steps and strength."
        )
    needed = trajectory_bytes(samples, sigmas, method_named(course.method))
    if free is None:
        storage = comfy.model_management.intermediate_device()
        free = cast(int, comfy.model_management.get_free_memory(storage))  # two numbers only if both are asked for
    require_room(needed, free, samples, len(sigmas) - 1)
    guider = guidance.guider(model)

    def run(sampler: comfy.samplers.Sampler, levels: torch.Tensor) -> torch.Tensor:
        return guider.sample(
            torch.zeros_like(samples),
            samples,
            sampler,
            levels,
            callback=latent_preview.prepare_callback(model, len(levels) - 1),
            disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
            seed=course.options.seed,
        )

    up = _InversionSampler(course, made_of)
    noisiest = run(up, sigmas)
    require_finite(*up.states)
    trajectory = Trajectory(
        states=up.states,
        sigmas=sigmas,
        method=course.method,
        cfg=guidance.cfg,
        clean=samples.clone(),
        model=model_kind(model),
        noising=made_of,
        batch_index=latents.batch_index,
        kept=up.kept,
    )
    missed = None
    if walk_back:
        down = _WayBackSampler(trajectory)
        run(down, sigmas.flip(0))
        missed = down.missed
    noisiest = noisiest.to(comfy.model_management.intermediate_device(), comfy.model_management.intermediate_dtype())
    return Inversion(noisiest, trajectory, _report(trajectory, up, guidance.negative is not None, missed))


class _InversionSampler(comfy.samplers.Sampler):
    """Walks up instead of down. Leaves all states in `states`, what the method keeps in `kept`, and what is known of the steps
    that led to them. Both are made in one piece at once: stacked in the end they would take twice as much."""

    def __init__(self, course: Course, made_of: Noising):
        self._method = method_named(course.method)
        self._course = course
        self._noising = made_of
        self.states = torch.empty(0)
        self.kept: torch.Tensor | None = None
        self.model_calls = 0
        self.residuals: list[torch.Tensor | None] = []

    def sample(
        self, model_wrap, sigmas, extra_args, callback, noise, latent_image: torch.Tensor, denoise_mask=None, disable_pbar=False
    ):
        def predict(x: torch.Tensor, sigma: float) -> torch.Tensor:
            comfy.model_management.throw_exception_if_processing_interrupted()
            return model_wrap(x, x.new_full((len(x),), sigma), **extra_args)

        storage = comfy.model_management.intermediate_device()
        self.states = torch.empty((len(sigmas), *latent_image.shape), dtype=latent_image.dtype, device=storage)
        self.kept = torch.empty_like(self.states[1:]) if self._method.keeps else None
        self.states[0] = latent_image
        denoise = regularised(predict, self._course.regularisation, self._noising)
        steps = self._method.invert(denoise, latent_image, sigmas.tolist(), self._noising, self._course.options)
        for i, step in enumerate(steps):
            self.states[i + 1] = step.state
            if self.kept is not None:
                self.kept[i] = cast(torch.Tensor, step.kept)  # of a method that keeps
            self.model_calls += step.model_calls
            self.residuals.append(step.residual)
            if callback is not None:
                callback(i, step.denoised, step.state, len(sigmas) - 1)
        # What the host's samplers return at a level above 0, so that a later sampler can start from it.
        return model_wrap.inner_model.model_sampling.inverse_noise_scaling(sigmas[-1], step.state)


class _WayBackSampler(comfy.samplers.Sampler):
    """Samples from a trajectory's last state. Leaves in `missed` how far each level's state is off the trajectory's."""

    def __init__(self, trajectory: Trajectory):
        self._trajectory = trajectory
        self.missed: list[torch.Tensor] = []

    def sample(self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=False):
        trajectory = self._trajectory

        def report(info: dict) -> None:
            if info["i"] > 0:
                self.missed.append(rms(info["x"] - trajectory.states[-1 - info["i"]].to(noise.device)))
            if callback is not None:
                callback(info["i"], info["denoised"], info["x"], len(sigmas) - 1)

        start = trajectory.states[-1].to(noise.device, copy=True)
        last = way_back(trajectory)(model_wrap, start, sigmas, extra_args=extra_args, callback=report, disable=disable_pbar)
        self.missed.append(rms(last - trajectory.states[0].to(noise.device)))
        return last


def _report(
    trajectory: Trajectory, sampler: _InversionSampler, guided: bool, missed: list[torch.Tensor] | None
) -> InversionReport:
    spreads = trajectory.states[0].flatten(1).std(dim=1).cpu()
    measured = missed[-1:] if missed else [residual for residual in sampler.residuals if residual is not None]
    worst = int((sum((error.cpu() for error in measured), torch.zeros_like(spreads)) / spreads).argmax())
    return InversionReport(
        method=trajectory.method,
        cfg=trajectory.cfg,
        model_calls=sampler.model_calls * (2 if guided else 1),
        sigmas=tuple(trajectory.sigmas.tolist()),
        residuals=tuple(None if residual is None else float(residual[worst]) for residual in sampler.residuals),
        missed=None if missed is None else tuple(float(error[worst]) for error in missed),
        spread=float(spreads[worst]),
        memory=trajectory.memory,
    )
