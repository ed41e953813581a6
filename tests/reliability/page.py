"""Records of what is done, and the parts of docs/reliability.md that commands write."""

import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from time_core.application.atomic import write_atomically
from tools.comfyui.environment import ROOT

PAGE = ROOT / "docs" / "reliability.md"


def recorded(path: Path) -> dict[str, Any]:
    """What `record` left there; nothing if it did not come to that."""
    return json.loads(path.read_text()) if path.is_file() else {}


def record(path: Path, state: dict[str, Any]) -> None:
    """Whole or not at all."""
    write_atomically(path, json.dumps(state).encode())


def commit() -> str:
    found = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return found.stdout.strip() or "unknown"


def write_section(name: str, lines: Iterable[str], page: Path = PAGE) -> None:
    """Put the lines between the page's marks of this name. ValueError if it has none."""
    text, section = page.read_text(encoding="utf-8"), "\n".join(lines)
    marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not marked.search(text):
        raise ValueError(f"{page} has no part between <!-- {name} --> and <!-- /{name} -->.")
    page.write_text(marked.sub(lambda match: f"{match[1]}{section}\n{match[2]}", text), encoding="utf-8")
    print(f"wrote the part {name} of {page.name}")
