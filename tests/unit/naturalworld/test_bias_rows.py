"""Natural world: the table of professions that the benchmarks read."""

import csv
import json

from naturalworld import bias_rows
from naturalworld.professions import PROFESSIONS
from naturalworld.reading import read

from benchmarks.data.timed import read_bias


def test_the_file_is_what_its_program_writes():
    assert list(csv.DictReader(bias_rows.FILE.open(encoding="utf-8"))) == list(bias_rows.rows())


def test_every_profession_is_balanced_towards_what_its_pictures_show_less_often():
    shown = json.loads(bias_rows.CARD.read_text())["professions"]
    rows, problems = read_bias(bias_rows.FILE, None)
    assert not problems and len(rows) == len(PROFESSIONS) >= 15
    for row, profession in zip(rows, PROFESSIONS, strict=True):
        (new,), (opposite,) = read(row.new).genders, read(row.opposite).genders
        assert {new, opposite} == {"woman", "man"}
        assert shown[profession.noun][new] <= shown[profession.noun][opposite]
        prompts = (*row.validations, *row.tests)
        assert (len(row.validations), len(row.tests)) == (10, 5) and not set(row.validations) & set(row.tests)
        for ground in ("grass", "brick wall", "beach"):
            assert [sum(ground in prompt for prompt in some) for some in (row.validations, row.tests)] == [2, 1]
        assert all(read(prompt).nouns == (profession.noun,) and not read(prompt).genders for prompt in prompts)
