"""The presets of the TIME view, as the browser has them: web/js/time/presets.mjs."""

import json
from typing import Any

from .comfyui.install import ROOT

FILE = ROOT / "web" / "js" / "time" / "presets.mjs"


def presets() -> dict[str, dict[str, Any]]:
    """Name of each preset to all the inputs that it writes."""
    table = json.loads(FILE.read_text(encoding="utf-8").partition("PRESETS = ")[2].rstrip().removesuffix(";"))
    return {name: table["published"] | own for name, own in table.items()}
