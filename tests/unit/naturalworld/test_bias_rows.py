"""Natural world: the table of professions that the benchmarks read."""

import csv

from naturalworld import bias_rows
from naturalworld.professions import PROFESSIONS
from naturalworld.reading import read

from benchmarks.data.timed import read_bias


def test_the_file_is_what_its_program_writes():
    assert list(csv.DictReader(bias_rows.FILE.open(encoding="utf-8"))) == list(bias_rows.rows())


def test_every_profession_is_balanced_towards_what_is_rarer():
    rows, problems = read_bias(bias_rows.FILE, None)
    assert not problems and len(rows) == len(PROFESSIONS) >= 15
    for row, profession in zip(rows, PROFESSIONS, strict=True):
        assert read(row.new).genders == (("woman",) if profession.women < 0.5 else ("man",))
        assert read(row.opposite).genders != read(row.new).genders
        prompts = (*row.validations, *row.tests)
        assert len(row.tests) == 5 and not set(row.validations) & set(row.tests)
        assert all(read(prompt).nouns == (profession.noun,) and not read(prompt).genders for prompt in prompts)
