"""Every test runs against the real ComfyUI on the CPU; the pack is importable as `time_diffedit`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tools.comfyui.library import load_pack  # noqa: E402

load_pack()
