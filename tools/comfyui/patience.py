"""Waiting for what may take long: as long as something moves, however slow the machine is."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

SILENCE_LIMIT = 600  # seconds
IDLING = 10  # seconds of a processor; what only waits uses less within the limit

Found = TypeVar("Found")


class Standstill(Exception):
    """Nothing moved for longer than the limit."""


def wait_while_it_moves(look: Callable[[], Found], signs: Callable[[], object], pause: float = 0.2) -> Found:
    """What `look` returns, as soon as that counts as true.

    Args:
        look: called again and again; what it raises ends the waiting.
        signs: of life, a value that changes as long as there is progress: the length of a log, tasks that are done,
            `processor_time`.
        pause: seconds between two looks.

    Raises:
        Standstill: `signs` stayed the same for SILENCE_LIMIT.
    """
    seen, since = signs(), time.monotonic()
    while not (found := look()):
        time.sleep(pause)
        if (now := signs()) != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > SILENCE_LIMIT:
            raise Standstill(f"Nothing moved for {SILENCE_LIMIT} s.")
    return found


def processor_time(process_id: int) -> int:
    """What a process, with those it has waited for, has used of a processor, in units of IDLING. 0 where there is no /proc."""
    try:
        fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") / IDLING)
