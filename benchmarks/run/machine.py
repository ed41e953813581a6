"""Where a measurement was made."""

import os
import platform
from datetime import date
from pathlib import Path

import torch


def quiet_threads(threads: int) -> None:
    """`threads` for this process, without gradients or the host's bars. 0 leaves the number to torch."""
    import comfy.utils  # the host is not on the path before the pack is loaded

    comfy.utils.set_progress_bar_enabled(False)
    torch.set_grad_enabled(False)
    if threads:
        torch.set_num_threads(threads)


def describe_machine() -> str:
    """Date, processor, cores, threads and versions, on one line."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0] if names else cpu
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    parts = [
        date.today().isoformat(),
        cpu,
        f"{os.cpu_count()} cores",
        f"{torch.get_num_threads()} threads",
        device,
        f"torch {torch.__version__}",
    ]
    return ", ".join(parts)
