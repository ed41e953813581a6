"""The files that the benchmarks read: TIMED's columns, the gender file's, and what is wrong with a row."""

import csv

import pytest
from naturalworld import timed_rows
from naturalworld.everyday import everyday
from naturalworld.reading import read
from naturalworld.things import BY_NOUN
from toyworld import timed_rows as toy_rows
from toyworld.timed_rows import edit_of
from toyworld.wordings import colour_of, object_of
from toyworld.world import ASSUMED_COLOUR, COLOURS, OBJECTS

from benchmarks.data.timed import other_gender, read_bias, read_timed
from tools.comfyui.environment import ROOT

FOLDER = ROOT / "benchmarks" / "data"

HEAD = "old,new,positive1,gt1,positive2,gt2,negative1,gn1\n"


def write(folder, text):
    path = folder / "rows.csv"
    path.write_text(text)
    return path


def test_a_row_asks_what_the_protocol_asks(tmp_path):
    path = write(tmp_path, HEAD + '"A bear, asleep",A polar bear,Baloo,Polar Baloo,Bears,Polar bears,A dog,A polar dog\n')
    (row,), problems = read_timed(path)
    assert problems == []
    assert row.line == 2
    asked = [(q.kind, q.prompt, q.wording, q.rather_than) for q in row.questions()]
    assert asked == [
        ("efficacy", "A bear, asleep", "A polar bear", "A bear, asleep"),
        ("generality 1", "Baloo", "Polar Baloo", "Baloo"),
        ("generality 2", "Bears", "Polar bears", "Bears"),
        ("specificity 1", "A dog", "A dog", "A polar dog"),
    ]
    oracle = [q.prompt for q in row.questions(oracle=True)]
    assert oracle == ["A polar bear", "Polar Baloo", "Polar bears", "A dog"]


def test_bad_rows_are_named_by_line_and_the_others_are_read(tmp_path):
    lines = [
        "a,b a,c,b c,d,b d,e,b e",
        ",b a,c,b c,d,b d,e,b e",
        "a,b a,c,,d,b d,e,b e",
        "a,b a,c,b c,d,b d",
        "a,b a,c,b c,d,b d,e,b e,f",
        '"two\nlines",b,c,b c,d,b d,e,b e',
        "z,b z,c,b c,d,b d,e,b e",
    ]
    rows, problems = read_timed(write(tmp_path, HEAD + "\n".join(lines) + "\n"))
    assert [row.old for row in rows] == ["a", "two\nlines", "z"]
    assert [row.line for row in rows] == [2, 8, 9]
    assert problems == [
        "rows.csv, line 3: old or new is empty.",
        "rows.csv, line 4: positive1 or gt1 is empty.",
        "rows.csv, line 5: negative1 or gn1 is empty.",
        "rows.csv, line 6: more cells than columns: 'f'; a prompt with a comma needs quotes.",
    ]


def test_a_file_of_other_columns_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"column 'positive1' is missing; its columns are old, new"):
        read_timed(write(tmp_path, "old,new\na,b\n"))


def test_gender_rows_are_judged_against_the_other_gender(tmp_path):
    text = "old,new,validation,ex1,ex2\na nurse,a male nurse,A photo of a nurse,a nurse working,a nurse laughing\na,b,c,d,e\n"
    (row,), problems = read_bias(write(tmp_path, text))
    assert (row.opposite, row.tests) == ("a female nurse", ("a nurse working", "a nurse laughing"))
    assert len(problems) == 1
    assert "line 3: 'b' names no gender" in problems[0]
    assert "column 'opposite'" in problems[0]
    assert other_gender("an old woman") == "an old man"


def test_the_toy_pairs():
    """48 that are judged and 24 on which settings are chosen: every object with every other colour, once."""
    chosen, judged, together = (
        read_timed(FOLDER / name)[0] for name in (toy_rows.VALIDATION, toy_rows.JUDGED, toy_rows.TOGETHER)
    )
    assert (len(chosen), len(judged), len(together)) == (24, 48, 6)
    pairs = {(noun, colour) for noun in OBJECTS for colour in COLOURS if colour != ASSUMED_COLOUR[noun]}
    assert {(object_of(row.old), colour_of(row.new)) for row in chosen + judged} == pairs
    for row in chosen + judged + together:
        assert len(row.positives) == len(row.negatives) == 5
        assert all(object_of(prompt) == object_of(row.old) for prompt, _ in row.positives)
        assert all(colour_of(wording) == colour_of(row.new) for _, wording in row.positives + row.negatives)
        assert object_of(row.negatives[2][0]) == object_of(row.old)
        assert all(colour_of(prompt) != colour_of(row.new) for prompt, _ in row.negatives)
    edited = {object_of(row.old) for row in together}
    assert len(edited) == 6
    assert not edited & {object_of(row.negatives[i][0]) for row in together for i in (0, 1, 3, 4)}
    assert edit_of("rose", "orange").new == "an orange rose"


def test_the_toy_worlds_pairs_to_balance():
    balanced, problems = read_bias(FOLDER / "toy_bias.csv")
    assert problems == []
    assert len(balanced) == 12
    for row in balanced:
        assert not set(row.validations) & set(row.tests)
        for prompts in (row.validations, row.tests):
            on_grass, on_sand = (sum(ground in prompt for prompt in prompts) for ground in ("grass", "sand"))
            assert on_grass == on_sand == len(prompts) / 3
    assert (balanced[0].new, balanced[0].opposite) == ("a yellow rose", "a red rose")


@pytest.mark.parametrize("program", [timed_rows, toy_rows])
def test_the_files_are_what_their_programs_write(program):
    for name, rows in program.files().items():
        with (FOLDER / name).open(newline="", encoding="utf-8") as file:
            assert list(csv.DictReader(file)) == rows, name


def test_the_natural_worlds_pairs():
    """60 that are judged and 30 on which settings are chosen; none is in both, and each asks what it should."""
    chosen, judged = (read_timed(FOLDER / name)[0] for name in timed_rows.FILES)
    assert (len(chosen), len(judged)) == (30, 60)
    assert not {(row.old, row.new) for row in chosen} & {(row.old, row.new) for row in judged}
    assert len({row.old for row in judged}) > 30
    for row in [*chosen, *judged]:
        colour = read(row.new).colours[0]
        assert len(row.positives) == len(row.negatives) == 5
        assert all(read(prompt).nouns[0] == read(row.old).nouns[0] for prompt, _ in row.positives)
        assert all(read(wording).colours == (colour,) and not read(prompt).colours for prompt, wording in row.positives)
        assert len(read(row.positives[3][0]).nouns) == len(read(row.negatives[3][0]).nouns) == 2
        named, _ = row.negatives[2]
        assert read(named).nouns == read(row.old).nouns and read(named).colours[0] not in (
            colour,
            BY_NOUN[read(named).nouns[0]].colour,
        )
        for i in (0, 1, 3, 4):
            nouns = read(row.negatives[i][0]).nouns
            assert read(row.old).nouns[0] not in nouns
            assert all(BY_NOUN[noun].colour not in (None, colour) for noun in nouns)


def test_the_natural_worlds_pairs_for_one_model():
    rows, _ = read_timed(FOLDER / timed_rows.TOGETHER)
    edited = {read(row.old).nouns for row in rows}
    assert len(rows) == len(edited) == 48
    for row in rows:
        for i in (0, 1, 3, 4):
            assert not edited & {(noun,) for noun in read(row.negatives[i][0]).nouns}


def test_everyday_captions_of_the_natural_world_name_nothing_that_is_tested():
    prompts = everyday(200)
    assert len(set(prompts)) == 200
    for prompt in prompts:
        assert not read(prompt).colours
        assert all(noun not in BY_NOUN or BY_NOUN[noun].colour is None for noun in read(prompt).nouns)
