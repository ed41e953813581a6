"""Words in the browser: complete, generated, and saying the same in every language."""

import json
import re

import pytest

from tools.release import traditional, words
from tools.release.words import HOST_NODES, LANGUAGES, LOCALES, PAGES, ROOT, TRANSLATIONS
from tools.workflows.inputs import CHOICE

NODES = words.node_definitions()
ENGLISH = words.english_locale(NODES)
NAMES = sorted([*HOST_NODES, *(info["display_name"] for info in NODES.values())], key=len, reverse=True)
NAME = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in NAMES))


def table(language: str) -> dict[str, str]:
    return json.loads((TRANSLATIONS / f"{language}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("node_id", NODES)
def test_a_node_says_what_it_and_its_sockets_are(node_id):
    info = NODES[node_id]
    assert info["description"] and info["category"].startswith("TIME & DiffEdit/")
    aliases = [alias.lower() for alias in info["search_aliases"]]
    assert len(aliases) >= 2 and len(set(aliases)) == len(aliases)
    assert info["display_name"].lower() not in aliases, "the display name is searched anyway"
    for name, (_, options) in words.inputs_of(info).items():
        assert options.get("tooltip"), f"input {name}"
    for name, _, tooltip in words.outputs_of(info):
        assert tooltip, f"output {name}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_and_no_translation_is_left_over(language):
    words.translations(language, words.needed_texts(ENGLISH))


def test_the_words_of_taiwan_are_what_the_converter_makes_of_the_chinese_ones():
    assert table("zh-TW") == traditional.traditional()


def test_a_changed_text_and_a_stale_translation_are_named():
    needed = [text for text in table("zh") if text != "Inputs"] + ["a new text"]
    with pytest.raises(words.Untranslated) as problem:
        words.translations("zh", needed)
    assert str(problem.value).splitlines()[1:] == ["translate: 'a new text'", "remove: 'Inputs'"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "kept",
    [r"\{\w+\}", r"\d+(?:\.\d+)?", r"\b[A-Z][A-Z0-9_]+\b", r"'[^']*?'(?!\w)", r"\b\w+/[\w/.-]*\w", r"\b\w+_(?:pp|2|k)\b"],
    ids=["placeholders", "numbers", "capitals", "quoted choices", "paths", "samplers"],
)
def test_a_translation_keeps(language, kept):
    for english, translation in table(language).items():
        # What is quoted is a choice, a prompt or something to type; an apostrophe within a word quotes nothing.
        text = re.sub(r"(?<=\w)'(?=s\b|t\b)", "’", NAME.sub("", english)) if "'" in kept else NAME.sub("", english)
        for found in re.findall(kept, text):
            assert found in translation, f"{english!r} -> {translation!r}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_calls_nodes_by_their_translated_names(language):
    translation_of = table(language)
    for english, translation in translation_of.items():
        for name in NAME.findall(english):
            assert translation_of[name] in translation, f"{english!r} -> {translation!r}"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("node_id", NODES)
def test_choices_stay_english_where_a_tooltip_explains_them(language, node_id):
    """A choice is saved by its English name, and that is what the browser shows."""
    for name, (socket, options) in words.inputs_of(NODES[node_id]).items():
        for choice in options.get("options") or () if socket == "COMBO" else ():
            explained = re.search(rf"(?<!\w){re.escape(choice)}(?= ?:)", options["tooltip"], re.IGNORECASE)
            if explained:
                assert choice in table(language)[options["tooltip"]], f"{name}: {choice}"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("node_id", NODES)
def test_inputs_of_a_node_have_different_names(language, node_id):
    """The settings of a choice among themselves: they stand below it."""
    names = {"": []}
    for name, (_, options) in words.inputs_of(NODES[node_id]).items():
        names.setdefault(name.rpartition(".")[0], []).append(table(language)[words.shown_name(name, options)])
    for those in names.values():
        assert len(set(those)) == len(those)


@pytest.mark.parametrize("node_id", NODES)
def test_a_setting_of_several_options_is_explained_once(node_id):
    """It has one name in the locale, whichever option shows it."""
    for name, spec in (NODES[node_id]["input"]["required"] | NODES[node_id]["input"].get("optional", {})).items():
        explained = {}
        for option in spec[1]["options"] if spec[0] == CHOICE else ():
            for setting, (_, described) in words.inputs_of({"input": option["inputs"]}).items():
                assert explained.setdefault(setting, described["tooltip"]) == described["tooltip"], f"{name}.{setting}"


def test_settings_of_a_choice_are_named_as_the_frontend_looks_them_up():
    inputs = ENGLISH["nodeDefs"]["DiffEditMask"]["inputs"]
    assert inputs["rule_threshold"]["name"] == "threshold" and inputs["compare_target_model"]["tooltip"]
    assert not any("." in name for node in ENGLISH["nodeDefs"].values() for name in node["inputs"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_node_names_differ(language):
    names = [table(language)[info["display_name"]] for info in NODES.values()]
    assert len(set(names)) == len(names)


def test_generated_files_are_up_to_date():
    for path, text in words.render().items():
        assert (ROOT / path).read_text(encoding="utf-8") == text, f"{path} is out of date; run `make words`"


def test_nothing_else_lies_beside_the_generated_files():
    own = {f"web/docs/{node_id}/en.md" for node_id in NODES} | {"locales/en/main.json", "locales/en/settings.json"}
    there = {str(path.relative_to(ROOT)) for folder in (LOCALES, PAGES) for path in folder.rglob("*.*") if path.is_file()}
    assert {path for path in there if not path.startswith("web/docs/images/")} == own | set(words.render())


def test_signs_that_the_frontend_reads_as_syntax_are_escaped_where_it_compiles():
    tree = {"N": {"description": "{a} | b", "inputs": {"i": {"name": "50 %", "tooltip": "'| 2' and {concept}"}}}}
    assert words.for_the_host("nodeDefs", tree) == {
        "N": {"description": "{'{'}a{'}'} {'|'} b", "inputs": {"i": {"name": "50 {'%'}", "tooltip": "'| 2' and {concept}"}}}
    }
    main = {"timeDiffEdit": {"area": "{percent} %"}, "settingsCategories": {"A": "a@b"}}
    assert words.for_the_host("main", main) == main | {"settingsCategories": {"A": "a{'@'}b"}}


def test_settings_are_those_of_the_browser_part():
    source = (ROOT / "web" / "js" / "time_diffedit.js").read_text()
    registered = re.findall(r"id: `\$\{SETTING_PREFIX\}(\w+)`", source)
    assert {f"TimeDiffEdit_{key}" for key in registered} == set(ENGLISH["settings"])
    for text in words.texts(ENGLISH["settings"]):
        assert f'"{text}"' in source
