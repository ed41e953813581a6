"""Natural world: the judge reads objects from cells, learns, and reads drawn pictures nothing was trained on."""

import copy

import numpy as np
import pytest
import torch
from naturalworld.dataset import example
from naturalworld.draw import Place, draw
from naturalworld.evaluate_judge import evaluate_judge, spoilt_as_in_training
from naturalworld.grounds import GROUNDS
from naturalworld.judge import (
    FILE,
    GRID,
    HEADS,
    WEIGHTS,
    Judge,
    JudgeNetwork,
    Verdict,
    as_evidence,
    load_judge,
    object_masks,
    store_judge,
    verdict_of,
)
from naturalworld.professions import GENDERS, PROFESSIONS, SKIN_TONES
from naturalworld.scenes import Scene, Subject
from naturalworld.things import BY_NOUN
from naturalworld.train_judge import TruthOnDevice, centres, judge_loss, mirrored, spoilt, train_judge
from naturalworld.training_data import COLOURS, NOUNS, Truth, truth_of

FEW = 32


def blank(ground: str = "sand") -> dict[str, np.ndarray]:
    """Evidence of nothing on a ground."""
    maps = {name: np.full((channels, GRID, GRID), -3.0, np.float32) for name, channels in HEADS.items()}
    for name in ("object", "part", "centre"):
        maps[name][:] = 0.01 if name == "object" else 0.0
    maps["ground"][[one.kind for one in GROUNDS].index(ground)] = -0.1
    return maps


def add(maps: dict[str, np.ndarray], left: int, top: int, side: int, noun: str, **of: str) -> np.ndarray:
    """A square of cells that say that they are of this; returns its mask."""
    mask = np.zeros((GRID, GRID), bool)
    mask[top : top + side, left : left + side] = True
    maps["object"][0][mask], maps["part"][0][mask] = 0.99, 0.9
    rows, columns = np.nonzero(mask)
    middle = np.array([left, top]) + (side - 1) / 2
    maps["centre"][:, mask] = (middle[:, None] - np.stack([columns, rows])) / GRID
    names = {"noun": NOUNS, "colour": list(COLOURS), "gender": GENDERS, "skin_tone": SKIN_TONES}
    for name, value in {"noun": noun, **of}.items():
        maps[name][:, mask] = -5.0
        maps[name][names[name].index(value), mask] = -0.05
    return mask


def test_two_things_are_read_from_left_to_right():
    maps = blank()
    right = add(maps, 18, 10, 11, "car", colour="blue")
    left = add(maps, 3, 9, 12, "nurse", gender="man", skin_tone="dark")
    verdict = verdict_of(maps)
    assert verdict.nouns == ("nurse", "car") and verdict.ground == "sand"
    nurse, car = verdict.found
    assert (nurse.colour, nurse.gender, nurse.skin_tone) == (None, "man", "dark")
    assert (car.colour, car.gender, car.skin_tone) == ("blue", None, None)
    np.testing.assert_array_equal(nurse.mask, left)
    np.testing.assert_array_equal(car.mask, right)
    assert car.centre == pytest.approx((23.5 / GRID, 15.5 / GRID)) and car.share == pytest.approx(121 / GRID**2)
    assert verdict.is_left_of("nurse", "car") and not verdict.is_left_of("car", "nurse")
    assert verdict.has("car") and verdict.of("car") is car and verdict.of("bus") is None and verdict.largest is nurse


def test_equal_things_that_touch_are_two():
    maps = blank()
    add(maps, 4, 10, 12, "apple", colour="red")
    add(maps, 16, 10, 12, "apple", colour="red")
    assert verdict_of(maps).count("apple") == 2


def test_halves_at_one_place_are_one_object_with_the_evidence_of_both():
    """The larger half's noun wins, though cells disagree; so does its colour."""
    maps = blank()
    mask = add(maps, 8, 8, 16, "car", colour="blue")
    other = mask.copy()
    other[:, :18] = False
    for name, values in (("noun", NOUNS), ("colour", list(COLOURS))):
        maps[name][:, other] = -5.0
        maps[name][values.index("bus" if name == "noun" else "green")][other] = -0.05
    (one,) = verdict_of(maps).found
    assert (one.noun, one.colour, int(one.mask.sum())) == ("car", "blue", 256)
    assert 0.4 < one.sure < 0.75


def test_the_colour_is_that_of_the_coloured_part():
    maps = blank()
    mask = add(maps, 8, 8, 16, "rose", colour="blue")
    leaves = mask.copy()
    leaves[:14] = False
    maps["part"][0][leaves] = 0.01
    maps["colour"][:, leaves] = -5.0
    maps["colour"][list(COLOURS).index("green")][leaves] = -0.05
    assert verdict_of(maps).found[0].colour == "blue"


def test_pieces_of_one_thing_are_kept_and_crumbs_dropped():
    maps = blank()
    mask = add(maps, 8, 8, 14, "bicycle")
    maps["object"][0][8:22, 14:16] = 0.1  # a gap through the middle
    add(maps, 28, 28, 2, "car", colour="red")
    (one,) = verdict_of(maps).found
    assert one.noun == "bicycle" and one.mask.sum() == mask.sum() - 28
    assert verdict_of(blank("space")) == Verdict((), "space")


def test_a_fragment_belongs_to_what_it_touches():
    maps = blank()
    mask = add(maps, 10, 8, 10, "teapot", colour="red")
    mask |= add(maps, 20, 10, 4, "star", colour="yellow")
    add(maps, 27, 27, 3, "star", colour="yellow")
    (one,) = verdict_of(maps).found
    assert (one.noun, one.colour) == ("teapot", "red")
    np.testing.assert_array_equal(one.mask, mask)


def test_cells_without_a_clear_centre_do_not_break_the_reading():
    rng = np.random.RandomState(0)
    masks = object_masks(rng.rand(GRID, GRID), rng.uniform(-1, 1, (2, GRID, GRID)))
    assert not np.any(np.sum(masks, axis=0) > 1)


def test_the_network_is_small_and_says_what_it_should():
    network = JudgeNetwork().eval()
    assert sum(p.numel() for p in network.parameters()) <= 1.6e6
    with torch.inference_mode():
        said = network(torch.rand(2, 3, 128, 128))
    assert {name: tuple(values.shape) for name, values in said.items()} == {n: (2, c, GRID, GRID) for n, c in HEADS.items()}


def test_the_judge_refuses_what_it_cannot_read():
    judge = Judge(JudgeNetwork())
    for wrong in (np.zeros((1, 64, 64, 3), np.float32), np.zeros((1, 128, 128, 3), np.uint8)):
        with pytest.raises(ValueError, match="The judge reads"):
            judge(wrong)


@pytest.fixture(scope="module")
def drawn() -> tuple[torch.Tensor, Truth]:
    pictures = [example("train", i) for i in range(FEW)]
    fields = zip(*map(truth_of, pictures), strict=True)
    pixels = np.stack([(picture.pixels * 255).round().astype(np.uint8) for picture in pictures])
    return torch.from_numpy(pixels), Truth(*map(np.stack, fields))


def perfect(truth: Truth) -> dict[str, torch.Tensor]:
    """What a network says that knows the truth, written without the loss's code."""
    said = {name: torch.zeros(FEW, channels, GRID, GRID) for name, channels in HEADS.items()}
    for i, cells in enumerate(truth.cells):
        said["ground"][i, int(truth.ground[i])] = 20.0
        for number, of in enumerate(truth.objects[i], start=1):
            mask = cells == number
            for name, value in zip(("noun", "colour", "gender", "skin_tone"), of, strict=True):
                if value >= 0:
                    said[name][i, int(value)][mask] = 20.0
            rows, columns = np.nonzero(mask)
            if len(rows):
                there = np.stack([columns.mean() - columns, rows.mean() - rows])
                said["centre"][i][:, mask] = torch.tensor(there / GRID, dtype=torch.float32)
        said["object"][i, 0] = torch.from_numpy(np.where(cells > 0, 20.0, -20.0))
        said["part"][i, 0] = torch.from_numpy(np.where(truth.coloured[i], 20.0, -20.0))
    return said


def test_the_truth_has_no_loss_and_is_read_as_it_is(drawn):
    _, truth = drawn
    said = perfect(truth)
    loss, right = judge_loss(said, TruthOnDevice(truth, torch.device("cpu")).batch(torch.arange(FEW)))
    assert float(loss) < 1e-3 and min(float(value) for value in right.values()) > 0.999
    maps = {name: values.numpy() for name, values in as_evidence(said).items()}
    for i in range(FEW):
        verdict = verdict_of({name: values[i] for name, values in maps.items()})
        wanted = sorted(NOUNS[of[0]] for of in truth.objects[i] if of[0] >= 0)
        assert sorted(verdict.nouns) == wanted and verdict.ground == GROUNDS[truth.ground[i]].kind


def test_pictures_are_mirrored_with_their_truth(drawn):
    pictures, truth = drawn
    targets = TruthOnDevice(truth, torch.device("cpu")).batch(torch.arange(FEW))
    x = pictures.movedim(-1, 1).float() / 255
    where = torch.arange(FEW) % 2 == 0
    turned, after = mirrored(x, targets, where)
    torch.testing.assert_close(turned[0], x[0].flip(-1))
    torch.testing.assert_close(turned[1], x[1])
    before, now = centres(targets.owner, 4)[0], centres(after.owner, 4)[0]
    there = (targets.owner.flatten(1)[..., None] == torch.arange(5)).any(1)
    torch.testing.assert_close(now[0, there[0], 0], 1 - before[0, there[0], 0])
    torch.testing.assert_close(now[1], before[1])


def test_spoilt_pictures_are_alike_and_in_range(drawn):
    pictures, _ = drawn
    x = pictures.movedim(-1, 1).float() / 255
    seen = []

    def degrade(some: torch.Tensor) -> torch.Tensor:
        seen.append(len(some))
        return some

    y = spoilt(x, degrade, torch.Generator().manual_seed(1))
    assert y.shape == x.shape and y.min() >= 0 and y.max() <= 1 and seen == [FEW * 3 // 8]
    difference = (y - x).abs().mean((1, 2, 3))
    assert (difference > 1e-3).all() and (difference < 0.15).all()


def test_a_few_steps_lower_the_loss_and_the_weights_are_kept(drawn, tmp_path):
    pictures, truth = drawn
    targets = TruthOnDevice(truth, torch.device("cpu")).batch(torch.arange(FEW))
    x = pictures.movedim(-1, 1).float() / 255

    def loss(network: JudgeNetwork) -> float:
        """By the batch's own statistics: the running ones follow slowly."""
        with torch.inference_mode():
            return float(judge_loss(copy.deepcopy(network).train()(x), targets)[0])

    torch.manual_seed(0)
    before = loss(JudgeNetwork())
    network = train_judge(pictures, truth, steps=8, batch=16, rate=2e-3)
    assert loss(network) < 0.85 * before
    store_judge(network, tmp_path)
    assert (tmp_path / FILE).stat().st_size < 3.3e6
    pixels = pictures[:4].float().numpy() / 255
    for one, other in zip(Judge(network)(pixels), load_judge(tmp_path)(pixels), strict=True):
        assert one.ground == other.ground and len(one.found) == len(other.found)


def test_training_takes_seconds_or_steps(drawn):
    for wrong in ({}, {"seconds": 1.0, "steps": 1}):
        with pytest.raises(ValueError, match="either for some seconds or for some steps"):
            train_judge(*drawn, **wrong)


@pytest.mark.slow
@pytest.mark.skipif(not (WEIGHTS / FILE).exists(), reason="no judge is trained yet")
def test_the_stored_judge_is_right_on_pictures_nothing_was_trained_on():
    told = evaluate_judge(load_judge(), 200)
    assert {question: told["all"][question]["share"] for question in told["all"] if told["all"][question]["share"] < 0.95} == {}
    spoilt_ones = evaluate_judge(load_judge(), 64, first=200, degrade=spoilt_as_in_training())["all"]
    assert min(spoilt_ones[question]["share"] for question in ("thing", "colour", "ground")) >= 0.9


@pytest.mark.skipif(not (WEIGHTS / FILE).exists(), reason="no judge is trained yet")
def test_the_stored_judge_tells_a_blue_car_left_of_a_woman_judge():
    judge = next(profession for profession in PROFESSIONS if profession.noun == "judge")
    subjects = (Subject(BY_NOUN["car"], "blue"), Subject(judge, gender="woman", skin_tone="medium"))
    places = (Place(0.26, 0.5, 0.46), Place(0.74, 0.5, 0.46))
    picture = draw(np.random.RandomState(3), Scene(subjects, ground="grass"), places=places)
    (verdict,) = load_judge()(picture.pixels[None])
    assert verdict.is_left_of("car", "judge") and verdict.ground == "grass"
    assert verdict.of("car").colour == "blue" and verdict.of("judge").gender == "woman"
