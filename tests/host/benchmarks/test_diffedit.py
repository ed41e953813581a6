"""The editing benchmark from the command line to its report, on the toy world, in all layouts."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from host.benchmarks.layouts import write_folder, write_pie_bench
from PIL import Image
from toyworld.edits import named_edits, write_edits
from toyworld.wordings import ToyJudge

from benchmarks.__main__ import main, parser
from benchmarks.hosts.editing import GIVEN
from benchmarks.measurements.diffedit import BASELINE, DiffEdit, parse_settings

pytestmark = pytest.mark.usefixtures("process_as_before")

EDITS = named_edits(2, seed=3)
QUICK = ["--steps", "6", "--workers", "1"]
KNOWN, PASTED = "known mask: mask.maps=2, masked_by=given, composite=true", "pasted: mask.maps=2, composite=true"
SETTINGS = ["--setting", KNOWN, "--setting", PASTED]


def run(place: Path, output: Path, *options: str) -> None:
    assert main(["diffedit", str(place), "--output", str(output), *QUICK, *options]) == 0


def rows(output: Path, name: str) -> list[dict[str, str]]:
    with (output / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> Path:
    """A run over a good and a bad row, with three settings at two strengths."""
    folder = tmp_path_factory.mktemp("edits")
    place = write_edits(folder, EDITS)
    with place.open("a") as file:
        file.write("elsewhere.png,a cat,a dog,,\n")
    run(place, folder / "out", "--strengths", "0.5", "0.8", *SETTINGS)
    return folder


def test_every_picture_is_measured_under_every_setting(measured):
    records = rows(measured / "out", "pictures.csv")
    combinations = {(row["settings"], row["strength"], row["name"]) for row in records}
    names = ["line 2 000", "line 3 001"]
    edited = {(s, r, n) for s in ("DiffEdit", "known mask", "pasted") for r in ("0.5", "0.8") for n in names}
    assert combinations == edited | {("VAE alone", "0.0", name) for name in names}
    assert {row["background by mask"] for row in records} == {GIVEN}


def test_measures_say_what_is_known(measured):
    table = {(row["settings"], row["strength"]): row for row in rows(measured / "out", "scores.csv")}
    unedited, published = table["VAE alone", "0.0"], table["DiffEdit", "0.8"]
    known, pasted = table["known mask", "0.8"], table["pasted", "0.8"]
    assert float(unedited["edit success"]) == 0
    assert float(published["edit success"]) == 1
    assert float(known["mask IoU"]) == 1
    assert float(known["background PSNR"]) > float(published["background PSNR"])
    assert float(pasted["background PSNR"]) > float(published["background PSNR"])
    # PIE-Bench's PSNR counts the black area, so it is the higher one.
    assert float(published["PSNR as PIE-Bench"]) > float(published["background PSNR"])


def test_what_is_stored_is_what_was_measured(measured):
    stored = measured / "out" / "pictures"
    original = np.asarray(Image.open(measured / "000.png"))
    assert np.array_equal(np.asarray(Image.open(stored / "vae-alone/line 2 000/original.png")), original)
    mask = np.asarray(Image.open(stored / "pasted/line 2 000/mask.png")) > 0
    pasted = np.asarray(Image.open(stored / "pasted/line 2 000/strength 0.8.png"))
    assert np.array_equal(pasted[~mask], original[~mask])
    assert not np.array_equal(pasted[mask], original[mask])
    truth = np.asarray(Image.open(measured / "000_mask.png")) > 0
    known = np.asarray(Image.open(stored / "known-mask/line 2 000/mask.png"))
    assert np.array_equal(known[..., 0] > 0, truth)


def test_a_bad_row_is_reported_by_its_line(measured):
    results = json.loads((measured / "out" / "results.json").read_text())
    (problem,) = results["problems"]
    assert problem.startswith("edits.csv, line 4: there is no file")
    page = (measured / "out" / "report.html").read_text()
    assert "edits.csv, line 4" in page and "data:image/jpeg;base64," in page
    assert "What an edit costs the background" in page


def test_a_run_that_lost_a_task_ends_with_the_same_bytes(measured):
    out = measured / "out"
    options = ["--strengths", "0.5", "0.8", *SETTINGS]
    kept = [path for path in out.rglob("*") if path.is_file() and path.suffix != ".html" and path.parent.name != "runs"]
    before = {path: path.read_bytes() for path in kept}
    (out / "tasks/pasted/line 2 000.json").unlink()
    run(measured / "edits.csv", out, *options)
    assert {path: path.read_bytes() for path in kept} == before


def test_a_changed_picture_is_another_run(measured, tmp_path, capsys):
    place = write_edits(tmp_path, EDITS)
    run(place, tmp_path / "out", "--strengths", "0.5", "--rows", "1", "--setting", "a: masked_by=everywhere")
    Image.new("RGB", (128, 128)).save(tmp_path / "000.png")
    arguments = ["--strengths", "0.5", "--rows", "1", "--setting", "a: masked_by=everywhere"]
    assert main(["diffedit", str(place), "--output", str(tmp_path / "out"), *QUICK, *arguments]) == 1
    assert "holds a run with other settings" in capsys.readouterr().err


@pytest.mark.parametrize("write", [write_folder, write_pie_bench])
def test_the_other_layouts_are_measured(write, tmp_path):
    place = write(tmp_path / "edits", EDITS)
    run(place, tmp_path / "out", "--strengths", "0.8", "--rows", "1")
    (unedited, edited) = rows(tmp_path / "out", "scores.csv")
    assert (edited["settings"], edited["edit success"]) == ("DiffEdit", "1.0")
    assert float(edited["mask IoU"]) > 0.3
    assert float(edited["background PSNR"]) < float(unedited["background PSNR"])


def test_without_a_mask_the_one_that_was_found_counts(tmp_path):
    write_folder(tmp_path / "edits", EDITS)
    (tmp_path / "edits" / "000.mask.png").unlink()
    options = ["--strengths", "0.8", "--rows", "1"]
    run(tmp_path / "edits", tmp_path / "out", *options, "--setting", "known: masked_by=given, composite=true")
    _, record = rows(tmp_path / "out", "pictures.csv")
    assert (record["settings"], record["background by mask"]) == ("DiffEdit", "found")
    assert float(record["background PSNR"]) > 25
    page = (tmp_path / "out" / "report.html").read_text()
    assert "1 of 1 pictures have no mask of their own" in page
    problems = json.loads((tmp_path / "out" / "results.json").read_text())["problems"]
    assert problems == ["settings known, all pictures: settings 'known' take the mask that is given, but the picture has none."]


def test_an_input_that_a_node_lacks_is_named(tmp_path):
    place = write_edits(tmp_path, EDITS)
    options = ["--strengths", "0.5", "--rows", "1", "--setting", "typo: mask.mapz=3"]
    run(place, tmp_path / "out", *options)
    (problem,) = json.loads((tmp_path / "out" / "results.json").read_text())["problems"]
    assert problem.startswith(
        "settings typo, all pictures: settings 'typo': DiffEditMask has no value 'mapz'; it has seed, maps,"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mask.maps=3", "has no name"),
        ("a: mask.maps", "is not of the form input=value"),
        ("a: maps=3", "there are mask.INPUT"),
        ("a: masked_by=nobody", "masked_by=found|given|everywhere"),
    ],
)
def test_settings_that_cannot_be_read_are_refused(text, said):
    with pytest.raises(ValueError) as error:
        parse_settings(text, BASELINE)
    assert said in str(error.value)


def test_settings_build_on_the_common_options(tmp_path):
    place = write_edits(tmp_path, EDITS)
    options = [
        "--output",
        "x",
        "--steps",
        "20",
        "--cfg",
        "5",
        "--negative",
        "grey",
        "--setting",
        "a b: sample.cfg=3, mask.rule=otsu",
    ]
    _, common, other = DiffEdit.from_arguments(parser().parse_args(["diffedit", str(place), *options])).variants
    assert (common.invert, common.sample, common.negative) == ({"steps": 20}, {"cfg": 5.0}, "grey")
    assert (other.invert, other.sample, other.mask, other.negative) == ({"steps": 20}, {"cfg": 3}, {"rule": "otsu"}, "grey")


def test_options_of_sampling_from_noise_are_not_offered(tmp_path):
    with pytest.raises(SystemExit):
        parser().parse_args(["diffedit", "x.csv", "--output", "x", "--sampler", "heun"])


def test_the_toy_judge_reads_the_object_where_the_wordings_differ_in_it():
    (kind, task) = EDITS["001"]
    assert kind == "object"
    picture = (task.pixels * 255).round().astype(np.uint8)[None]
    assert ToyJudge().scores(picture, [task.source, task.target]).tolist() == [[1, 0]]
