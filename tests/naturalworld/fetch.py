"""Make `pictures.json.xz` anew: the pictures that the tables name, out of two npm packages that are pinned here.

Run as `python -m naturalworld.fetch`; needs npm and a network. Nothing else in this folder does.
"""

import json
import lzma
import tarfile
from pathlib import Path

from tools.comfyui.npm import download

from .pictures import PACK
from .professions import PROFESSIONS, profession_pictures
from .things import THINGS

CACHE = Path(__file__).parents[2] / ".cache" / "naturalworld"
PACKAGES = {
    "noto": (
        "@iconify-json/noto@1.2.9",
        "sha512-DQiuXENbun41ch+XPSV55H9FaWKpHTyz46YIKtSaKYD4fIDDzL1tR6H4np/T38jfrTAeI3rcKF0mqHYeZVAuaw==",
    ),
    "twemoji": (
        "@iconify-json/twemoji@1.2.5",
        "sha512-uKpuIEV0v6K5BW3Mjdyl+XKFVAbbcPxAgifKvEMtZoUZB5+YiY5zaMm2uNNCxyXzAWU9yNLlj41WU6/mvgALsw==",
    ),
}


def icons(archive: Path) -> dict:
    with tarfile.open(archive) as tar:
        return json.load(tar.extractfile("package/icons.json"))


def svg(collection: dict, name: str) -> str:
    """The SVG text of one icon, by its name or another name of it."""
    icon = collection["icons"].get(name)
    if icon is None:
        return svg(collection, collection["aliases"][name]["parent"])
    width, height = (icon.get(side, collection[side]) for side in ("width", "height"))
    box = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {spaces} viewBox="{box}">{icon["body"]}</svg>'


def main() -> None:
    names = sorted({thing.picture for thing in THINGS} | {name for p in PROFESSIONS for name in profession_pictures(p)})
    packed = {}
    for style, (package, integrity) in PACKAGES.items():
        collection = icons(download(package, integrity, CACHE))
        packed[style] = {name: svg(collection, name) for name in names}
    PACK.write_bytes(lzma.compress(json.dumps(packed, sort_keys=True).encode(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{len(names)} pictures in {len(packed)} styles, {PACK.stat().st_size / 1e6:.2f} MB: {PACK.name}")


if __name__ == "__main__":
    main()
