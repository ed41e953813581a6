"""The host in this process, started as its own main.py starts it.

Only what main.py does before any import of torch matters here, so this module imports neither torch nor the host.
"""

import importlib
import logging
import platform
from pathlib import Path
from types import SimpleNamespace

from tools.comfyui.library import comfyui_path, load_host, load_nodes

from .configurations import CPU, DYNAMIC


def start_host(start: str) -> dict[str, type]:
    """The pack's nodes by id. Raises RuntimeError if there is no card, or no dynamic VRAM, where it is asked for."""
    logging.disable(logging.INFO)
    load_host(cpu=start == CPU)
    import comfy.cli_args

    comfy.cli_args.args.disable_dynamic_vram = start != DYNAMIC
    if start != CPU:
        importlib.import_module("cuda_malloc")  # chooses PyTorch's allocator
    import comfy_aimdo.control

    if start == DYNAMIC:
        comfy_aimdo.control.init(nvml_pressure=not comfy.cli_args.args.disable_nvml_pressure)
    import torch

    if start != CPU and not torch.cuda.is_available():
        raise RuntimeError("PyTorch finds no CUDA card.")
    nodes = load_nodes(cpu=start == CPU)
    if start == DYNAMIC:
        _switch_on_dynamic_vram(comfy_aimdo.control)
    import comfy.utils

    comfy.utils.set_progress_bar_enabled(False)
    return nodes


def _switch_on_dynamic_vram(control) -> None:
    """The host does this in main.py alone, which cannot be imported without starting a server."""
    import comfy.cli_args
    import comfy.memory_management
    import comfy.model_management
    import comfy.model_patcher

    headroom = int(comfy.cli_args.args.vram_headroom * 2**30)
    devices = comfy.model_management.get_all_torch_devices()
    if not control.init_devices([(device.index, headroom) for device in devices]):
        raise RuntimeError("comfy-aimdo, which dynamic VRAM needs, does not start on this system.")
    comfy.model_patcher.CoreModelPatcher = comfy.model_patcher.ModelPatcherDynamic
    comfy.memory_management.aimdo_enabled = True


def open_model(path: Path, dtype: str) -> SimpleNamespace:
    """`model` and `clip` of a checkpoint. On the CPU the text encoder is float32, else as the host likes it."""
    import comfy.sd
    import torch

    kept = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}[dtype]
    model, clip, _, _ = comfy.sd.load_checkpoint_guess_config(
        str(path), output_vae=False, output_clip=True, model_options={"dtype": kept}
    )
    return SimpleNamespace(model=model, clip=clip)


def describe(start: str) -> dict[str, str]:
    """The machine and the versions, and how the host was started."""
    import torch

    from ..run.manifest import versions

    said = versions(comfyui_path()) | {"processor": platform.processor() or platform.machine()}
    if start != CPU:
        properties = torch.cuda.get_device_properties(0)
        said |= {
            "card": f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB",
            "CUDA": str(torch.version.cuda),
            "allocator": torch.cuda.get_allocator_backend(),
        }
    return said
