"""Long calculations: their progress bar, and a user's interrupt, which ends them at once."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

import torch
from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.utils import ProgressBar

Result = TypeVar("Result")
LISTENED_EVERY = 0.05  # seconds


def progress(total: int) -> Callable[..., None]:
    """`step(count=1)`, to be called before so many of `total` parts: it moves the node's progress bar.

    It raises InterruptProcessingException if the user interrupted.
    """
    bar = ProgressBar(total)

    def step(count: int = 1) -> None:
        throw_exception_if_processing_interrupted()
        bar.update(count)

    return step


def interruptible(work: Callable[..., Result], *args, **kwargs) -> Result:
    """What `work` gives or raises, done in a thread of its own, for a single call of LAPACK cannot be stopped.

    `work` must be pure: after an interrupt it goes on to its end, and nobody hears of it.

    Raises InterruptProcessingException if the user interrupted.
    """
    future: Future[Result] = Future()
    inference = torch.is_inference_mode_enabled()  # which holds for one thread alone

    def run() -> None:
        try:
            with torch.inference_mode(inference):
                future.set_result(work(*args, **kwargs))
        except BaseException as error:  # raised again below
            future.set_exception(error)

    threading.Thread(target=run, name="time_diffedit").start()
    while not wait([future], LISTENED_EVERY).done:
        throw_exception_if_processing_interrupted()
    return future.result()
