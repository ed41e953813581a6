"""`make words`: write locales/ and the help pages beside web/docs/*/en.md, in the languages of tools/release/translations/.

The English words are the nodes' schemas, locales/en/main.json (the browser views') and locales/en/settings.json. A translation
is keyed by its English text, so that a text that changes has none until it is translated anew.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import tomllib

from ..comfyui.library import ROOT, load_pack
from ..workflows.inputs import CHOICE

LANGUAGES = ("zh", "zh-TW", "ja", "fr")
TRANSLATIONS = Path(__file__).with_name("translations")
LOCALES = ROOT / "locales"
PAGES = ROOT / "web" / "docs"

# Words of the generated pages, and nodes of the host under the names by which tooltips call them.
FULL_PAGE = "The whole page, with what more and less of each input does and a small workflow, is in English:"
PAGE_WORDS = ("Inputs", "Outputs", "Name", "Description", FULL_PAGE)
HOST_NODES = (
    "BasicGuider",
    "CFGGuider",
    "CLIP Text Encode",
    "Cond Set Props",
    "DualCFGGuider",
    "KSampler",
    "KSamplerSelect",
    "Load CLIP",
    "Load CLIP Vision",
    "Load LoRA",
    "SamplerCustomAdvanced",
    "Set Hook Keyframes",
    "VAE Decode",
    "VAE Encode",
)


Tree = TypeVar("Tree", str, dict)  # a text, or names to trees


class Untranslated(ValueError):
    """Texts and translations do not fit together; the message names them."""


def node_definitions() -> dict[str, dict]:
    """Node id to what the host tells the browser of the node."""
    return {node.define_schema().node_id: node.GET_NODE_INFO_V1() for node in load_pack().nodes.NODES}


def inputs_of(info: dict) -> dict[str, tuple[str, dict]]:
    """Input id to its socket type and options, in order; the settings of a choice follow it as "choice.setting"."""
    return dict(_inputs({"inputs": info["input"]}, ""))


def _inputs(option: dict, prefix: str) -> Iterator[tuple[str, tuple[str, dict]]]:
    given = option["inputs"]
    for name, spec in (given.get("required", {}) | given.get("optional", {})).items():
        socket, options = spec[0] if isinstance(spec[0], str) else "COMBO", spec[1] if len(spec) > 1 else {}
        if socket != CHOICE:
            yield prefix + name, (socket, options)
            continue
        yield prefix + name, ("COMBO", options | {"options": [each["key"] for each in options["options"]]})
        for each in options["options"]:
            yield from _inputs(each, f"{prefix}{name}.")


def shown_name(name: str, options: dict) -> str:
    """What the browser calls an input: a setting of a choice by its own name."""
    return options.get("display_name") or name.rpartition(".")[2]


def locale_key(name: str) -> str:
    """Under which the frontend looks an input up, as a dot would be a level of the locale."""
    return name.replace(".", "_")


def outputs_of(info: dict) -> list[tuple[str, str, str]]:
    """Name, socket type and tooltip of each output."""
    return list(zip(info["output_name"], info["output"], info["output_tooltips"], strict=True))


def english_locale(nodes: dict[str, dict]) -> dict[str, dict]:
    """The three files of the English locale, as the host reads them."""
    return {
        "nodeDefs": {node_id: _english_node(info) for node_id, info in nodes.items()},
        "main": json.loads((LOCALES / "en" / "main.json").read_text(encoding="utf-8")),
        "settings": json.loads((LOCALES / "en" / "settings.json").read_text(encoding="utf-8")),
    }


def _english_node(info: dict) -> dict:
    return {
        "display_name": info["display_name"],
        "description": info["description"],
        "inputs": {
            locale_key(name): {"name": shown_name(name, options), "tooltip": options.get("tooltip")}
            for name, (_, options) in inputs_of(info).items()
        },
        # An output without a name is called by its socket type, which the host translates itself.
        "outputs": {
            str(i): ({"name": name} if name != socket else {}) | {"tooltip": tooltip}
            for i, (name, socket, tooltip) in enumerate(outputs_of(info))
        },
    }


def texts(tree: str | dict) -> list[str]:
    """All texts in a locale's tree, each once, in order."""
    if isinstance(tree, str):
        return [tree]
    return list(dict.fromkeys(text for branch in tree.values() for text in texts(branch)))


def needed_texts(locale: dict) -> list[str]:
    return list(dict.fromkeys([*PAGE_WORDS, *HOST_NODES, *texts(locale)]))


def translations(language: str, needed: list[str]) -> dict[str, str]:
    """English text to its translation; raises if one is missing or translates nothing."""
    table = json.loads((TRANSLATIONS / f"{language}.json").read_text(encoding="utf-8"))
    missing = [text for text in needed if not table.get(text)]
    unused = [text for text in table if text not in needed]
    if missing or unused:
        lines = [f"translate: {text!r}" for text in missing] + [f"remove: {text!r}" for text in unused]
        raise Untranslated(f"tools/release/translations/{language}.json does not fit the English texts.\n" + "\n".join(lines))
    return table


def translated(tree: Tree, table: dict[str, str]) -> Tree:
    if isinstance(tree, str):
        return table[tree]
    return {key: translated(branch, table) for key, branch in tree.items()}


def for_the_host(name: str, tree: dict) -> dict:
    """A locale file with the signs escaped that the frontend reads as syntax: in all that it compiles, which tooltips of nodes
    and our own views' words are not."""
    if name == "nodeDefs":
        return _escaped(tree, raw=("tooltip",))
    if name == "main":
        return _escaped(tree, raw=("timeDiffEdit",))
    return _escaped(tree)


def _escaped(tree: Tree, raw: tuple[str, ...] = ()) -> Tree:
    if isinstance(tree, str):
        return re.sub(r"[@{}|%]", lambda sign: f"{{'{sign[0]}'}}", tree)
    return {key: branch if key in raw else _escaped(branch, raw) for key, branch in tree.items()}


def short_page(node_id: str, info: dict, words: dict, table: dict[str, str]) -> str:
    """A node's page in another language: what its definition says, and the way to the whole page."""
    repository = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
    whole_page = f"{repository}/blob/main/web/docs/{node_id}.md"
    pictures = re.findall(r"^!\[.*\]\((.+)\)$", (PAGES / node_id / "en.md").read_text(encoding="utf-8"), re.MULTILINE)
    inputs = [(words["inputs"][locale_key(name)], name, socket) for name, (socket, _) in inputs_of(info).items()]
    outputs = [
        (word, name, socket) for word, (name, socket, _) in zip(words["outputs"].values(), outputs_of(info), strict=True)
    ]
    parts = [f"# {words['display_name']}", words["description"]]
    parts += [f"![{words['display_name']}]({picture})" for picture in pictures]
    for title, rows in (("Inputs", inputs), ("Outputs", outputs)):
        if rows:
            parts += [f"## {table[title]}", _rows(rows, table)]
    parts.append(f"{table[FULL_PAGE]} [{info['display_name']}]({whole_page})")
    return "\n\n".join(parts) + "\n"


def _rows(rows: list[tuple[dict, str, str]], table: dict[str, str]) -> str:
    # Two columns: a third would not fit into the browser's panel.
    lines = [f"| {table['Name']} | {table['Description']} |", "|---|---|"]
    for word, name, socket in rows:
        shown = word.get("name", name)
        # Error messages name an input by its id, so that a reader must be able to find it.
        parts = ([shown] if shown != name else []) + [f"`{name}`"] + ([socket] if socket != name else [])
        lines.append(f"| {'<br>'.join(parts)} | {word['tooltip'].replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def render() -> dict[str, str]:
    """Path in the repository to text of every generated file."""
    nodes = node_definitions()
    english = english_locale(nodes)
    needed = needed_texts(english)
    files = {"locales/en/nodeDefs.json": _json(for_the_host("nodeDefs", english["nodeDefs"]))}
    for node_id in nodes:
        # For every language without a page of its own.
        files[f"web/docs/{node_id}.md"] = (PAGES / node_id / "en.md").read_text(encoding="utf-8")
    for language in LANGUAGES:
        table = translations(language, needed)
        locale = translated(english, table)
        for name, tree in locale.items():
            files[f"locales/{language}/{name}.json"] = _json(for_the_host(name, tree))
        for node_id, info in nodes.items():
            page = short_page(node_id, info, locale["nodeDefs"][node_id], table)
            files[f"web/docs/{node_id}/{language}.md"] = page
    return files


def _json(tree: dict) -> str:
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    try:
        files = render()
    except Untranslated as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    for path, text in files.items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text, encoding="utf-8")
    print(f"wrote {len(files)} files to {LOCALES.name}/ and {PAGES.relative_to(ROOT)}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
