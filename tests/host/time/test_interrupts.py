"""A user's interrupt is heard within a tenth of a second wherever an edit calculates; encoding hears it between prompts."""

import threading
import time

import pytest
import torch
from comfy.model_management import InterruptProcessingException, interrupt_current_processing
from host.models import tiny
from host.models.tiny_diffusion import interrupted
from time_diffedit.nodes.shared import time_inputs
from time_diffedit.nodes.shared.interrupts import interruptible
from time_diffedit.nodes.time.time_compute_edit import TIMEComputeEdit
from time_diffedit.time_core.equations.equations import equations
from time_diffedit.time_core.equations.request import Request
from time_diffedit.time_core.equations.solve import System, low_rank
from time_diffedit.time_core.prompts.pairs import Pair, Settings
from time_diffedit.time_core.prompts.text import TextReader

AFTER, WITHIN = 0.2, 0.1  # seconds
LONG = "a " * 690, "a " * 1380


def lateness(work) -> float:
    """Seconds between an interrupt and its being heard; the least of three, for the machine has other things to do."""

    def once() -> float:
        when = []

        def interrupt():
            when.append(time.monotonic())
            interrupt_current_processing()

        timer = threading.Timer(AFTER, interrupt)
        timer.start()
        try:
            with interrupted():
                work()
            return time.monotonic() - when[0]
        finally:
            timer.cancel()

    return min(once() for _ in range(3))


def test_heard_while_lapack_works():
    """A system as wide as SDXL's text and full: its decomposition alone takes seconds."""
    generator = torch.Generator().manual_seed(0)
    system = System(2048)
    rows = torch.randn(2100, 2048, generator=generator, dtype=torch.float64)
    system.add(rows, rows.flip(0))
    assert lateness(lambda: interruptible(lambda: low_rank(*system.solve(0.1)))) < WITHIN


def test_heard_while_words_are_placed():
    def run():
        TIMEComputeEdit.execute(tiny.clip(), *LONG, 0.1)

    tiny.clip()
    assert lateness(run) < WITHIN


@pytest.mark.parametrize("alignment", ["inserted words", "replaced words", "whole prompt"])
def test_nothing_before_the_encoding_takes_longer(alignment):
    times = [time.thread_time()]

    class Encodes(Exception):
        pass

    def step():
        raise Encodes

    with pytest.raises(Encodes):
        request = Request((Pair(*LONG), Pair("a c " * 300, "a [b] c " * 300)), settings=Settings(alignment=alignment))
        equations(TextReader(tiny.clip()), request, step, lambda: times.append(time.thread_time()))
    assert len(times) > 600  # every piece between brackets is read by itself
    assert max(later - earlier for earlier, later in zip(times, times[1:], strict=False)) < WITHIN


def test_a_thread_of_its_own_changes_nothing():
    def factors():
        generator = torch.Generator().manual_seed(0)
        return low_rank(*(torch.randn(300, 40, generator=generator, dtype=torch.float64) for _ in range(2)))

    for inference in (True, False):
        with torch.inference_mode(inference):
            here, there = factors(), interruptible(factors)
            assert all(torch.equal(a, b) and a.is_inference() == b.is_inference() for a, b in zip(here, there, strict=True))


def test_what_goes_wrong_there_is_raised_here():
    def fail(error: Exception):
        raise error

    for error in (ValueError("lambda is 0"), TimeoutError(), InterruptProcessingException()):
        with pytest.raises(type(error)):
            interruptible(fail, error)


def test_prompts_that_would_take_long_are_refused_in_words():
    with pytest.raises(ValueError, match="'a a a .* -> 'a a a .*: source and destination are too long and rep") as found:
        time_inputs.compute(tiny.clip(), None, "cross-attention", time_inputs.EditInputs("a " * 2500, "a " * 5000), 0.1)
    assert len(str(found.value)) < 1000
