"""The presets of the views, as the browser has them: web/js/*/presets.mjs."""

import json
from typing import Any

from .comfyui.install import ROOT

TIME, DIFFEDIT = "time", "diffedit"


def presets(views: str = TIME) -> dict[str, dict[str, Any]]:
    """Name of each preset of the TIME or the DIFFEDIT views to all the inputs that it writes."""
    file = ROOT / "web" / "js" / views / "presets.mjs"
    table = json.loads(file.read_text(encoding="utf-8").partition("PRESETS = ")[2].rstrip().removesuffix(";"))
    return {name: table["published"] | own for name, own in table.items()}
