"""`python -m tools.release.traditional`: write translations/zh-TW.json, the Chinese words in Taiwan's script and terms.

Made from translations/zh.json by OpenCC, which is pinned in tools/lock and installed into `.cache/opencc`; only the host's own
nodes are called as its own zh-TW calls them.
"""

import json
import re
import subprocess
import sys

from ..comfyui.install import LOCK, ROOT, digest, is_complete, make_and_say, pip, remove, venv_python
from .words import TRANSLATIONS

SOURCE, RESULT = TRANSLATIONS / "zh.json", TRANSLATIONS / "zh-TW.json"
FOLDER = ROOT / ".cache" / "opencc"
LOCKED = LOCK / "opencc.txt"
CONVERT = "import json, opencc, sys; print(json.dumps([opencc.OpenCC('s2twp').convert(t) for t in json.load(sys.stdin)]))"
HOST_NODES = {
    "BasicGuider": "基礎引導器",
    "CFGGuider": "CFGGuider",
    "CLIP Text Encode": "CLIP 文字編碼",
    "Cond Set Props": "條件集屬性",
    "DualCFGGuider": "雙 CFG 引導器",
    "KSampler": "KSampler",
    "KSamplerSelect": "K採樣器選擇",
    "Load CLIP": "載入 CLIP",
    "Load CLIP Vision": "載入 CLIP Vision",
    "Load LoRA": "載入 LoRA",
    "SamplerCustomAdvanced": "SamplerCustomAdvanced",
    "Set Hook Keyframes": "設定 Hook 關鍵影格",
    "VAE Decode": "VAE 解碼",
    "VAE Encode": "VAE 編碼",
}


def converted(texts: list[str]) -> list[str]:
    """Each text by OpenCC."""
    stamp, content = FOLDER / "complete", digest(LOCKED)
    if not is_complete(stamp, content):
        print("Installing OpenCC into .cache/opencc …", flush=True)
        remove(FOLDER)
        FOLDER.mkdir(parents=True)
        only = ("--require-hashes", "--no-deps", "--only-binary", ":all:")
        pip("install", "--quiet", *only, "--target", str(FOLDER), "-r", str(LOCKED))
        stamp.write_text(content)
    command = [str(venv_python()), "-c", CONVERT]
    said = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, check=True, cwd=FOLDER)
    return json.loads(said.stdout)


def traditional() -> dict[str, str]:
    """English text to its translation."""
    chinese = json.loads(SOURCE.read_text(encoding="utf-8"))
    named = {chinese[english]: name for english, name in HOST_NODES.items()}
    names = re.compile("(" + "|".join(map(re.escape, sorted(named, key=len, reverse=True))) + ")")
    pieces = {english: names.split(text) for english, text in chinese.items()}
    others = sorted({piece for parts in pieces.values() for piece in parts if piece and piece not in named})
    words = named | dict(zip(others, converted(others), strict=True))
    return {english: "".join(words[piece] for piece in parts if piece) for english, parts in pieces.items()}


def write() -> str:
    RESULT.write_text(json.dumps(traditional(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return str(RESULT.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(make_and_say("Words", write))
