"""The presets of the views, as the browser has them: web/js/*/presets.mjs."""

import json
from typing import Any

from .comfyui.install import ROOT

TIME, DIFFEDIT = "time", "diffedit"


def presets(views: str = TIME) -> dict[str, dict[str, Any]]:
    """Name of each preset of the TIME or the DIFFEDIT views to all the inputs that it writes.

    Of a choice that a preset makes these are its own settings only.
    """
    file = ROOT / "web" / "js" / views / "presets.mjs"
    table = json.loads(file.read_text(encoding="utf-8").partition("PRESETS = ")[2].rstrip().removesuffix(";"))
    return {name: _published_beside(own, table["published"]) | own for name, own in table.items()}


def _published_beside(own: dict[str, Any], published: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in published.items() if name.partition(".")[0] not in own}
