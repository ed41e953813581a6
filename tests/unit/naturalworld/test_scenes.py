"""Natural world: scenes come from seeds, truth is what was drawn, captions name only that."""

import re
from collections import Counter

import numpy as np
import pytest
from naturalworld import captions
from naturalworld.captions import caption, phrase
from naturalworld.colours import COLOURS
from naturalworld.dataset import draw_split, example
from naturalworld.draw import Place, draw, random_places, sprite
from naturalworld.grounds import BY_KIND, GROUNDS, draw_ground
from naturalworld.pictures import PACK, STYLES
from naturalworld.professions import GENDERS, PROFESSIONS, SHARE_OF_NEUTRAL, SKIN_TONES
from naturalworld.reading import read
from naturalworld.scenes import SPLITS, Scene, Subject, random_person, random_scene, seed_of
from naturalworld.sprites import person_sprite, resized, thing_sprite
from naturalworld.things import BY_NOUN, THINGS, plural

PROFESSION = {profession.noun: profession for profession in PROFESSIONS}


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [random_scene(np.random.RandomState(seed_of("train", i))) for i in range(6000)]


def test_the_world_is_as_large_as_it_says():
    assert len(THINGS) >= 80 and len({thing.noun for thing in THINGS}) == len(THINGS)
    assert sum(thing.colour is not None for thing in THINGS) >= 40
    assert len(PROFESSIONS) >= 15
    assert len({ground.kind for ground in GROUNDS}) == 8
    assert PACK.stat().st_size < 1e6


def test_no_words_mean_two_things():
    words = [word for one in (*THINGS, *PROFESSIONS) for word in (one.noun, *one.synonyms)]
    assert [word for word, count in Counter(words).items() if count > 1] == []


def test_everything_can_be_drawn():
    for thing in THINGS:
        for style in STYLES:
            rgba = thing_sprite(thing, style, thing.colour).rgba
            assert (rgba[..., 3] >= 128).mean() > 0.1, (thing.noun, style)
    for profession in PROFESSIONS:
        shown = [person_sprite(profession, style, g, "medium").rgba for style in STYLES for g in GENDERS]
        assert all((rgba[..., 3] >= 128).mean() > 0.3 for rgba in shown), profession.noun


@pytest.mark.parametrize("style", STYLES)
def test_women_men_and_skin_tones_are_drawn_differently(style):
    for profession in PROFESSIONS:
        forms = {gender: person_sprite(profession, style, gender, "medium").rgba.astype(int) for gender in GENDERS}
        for a, b in (("woman", "man"), ("woman", "person"), ("man", "person")):
            assert (np.abs(forms[a] - forms[b]).max(-1) > 48).mean() > 0.02, (profession.noun, a, b)
        light, dark = (person_sprite(profession, style, "woman", tone).rgba.astype(int) for tone in ("light", "dark"))
        assert (np.abs(light - dark).max(-1) > 48).mean() > 0.05, profession.noun


def test_a_seed_decides_everything():
    a, b = (example("test", 5) for _ in range(2))
    assert a.scene == b.scene and caption(a.scene) == caption(b.scene)
    np.testing.assert_array_equal(a.pixels, b.pixels)
    np.testing.assert_array_equal(a.labels, b.labels)
    np.testing.assert_array_equal(a.coloured, b.coloured)


def test_a_split_is_its_examples():
    drawn = draw_split("validation", 3, first=7, size=64)
    one = example("validation", 8, size=64)
    assert drawn.captions[1] == caption(one.scene) and drawn.pixels.shape == (3, 64, 64, 3)
    np.testing.assert_array_equal(drawn.pixels[1], (one.pixels * 255).round())
    np.testing.assert_array_equal(drawn.labels[1], one.labels)
    np.testing.assert_array_equal(drawn.coloured[1], one.coloured)


def test_splits_share_no_seed_and_no_scene():
    starts = sorted(SPLITS.values())
    last = {split: seed_of(split, 999_999_999) for split in SPLITS}
    assert all(last[split] < after for split, after in zip(SPLITS, starts[1:], strict=False))
    drawn = {split: {random_scene(np.random.RandomState(seed_of(split, i))) for i in range(1500)} for split in SPLITS}
    assert not drawn["train"] & drawn["test"] and not drawn["train"] & drawn["validation"]
    assert not drawn["validation"] & drawn["test"]
    with pytest.raises(ValueError, match="Splits are train, validation, test"):
        seed_of("train", 1_000_000_000)
    with pytest.raises(ValueError, match="Splits are"):
        seed_of("holiday", 0)


def test_truth_is_the_alpha_of_what_was_put():
    """One thing, put where it is known to be: labels and coloured pixels are the sprite's own."""
    subject = Subject(BY_NOUN["rose"], colour="blue", style="noto")
    picture = draw(np.random.RandomState(3), Scene((subject,)), 128, (Place(0.5, 0.5, 0.5),))
    one = resized(sprite(subject), 64, mirrored=False)
    labels = np.zeros((128, 128), bool)
    labels[32:96, 32:96] = one.rgba[..., 3] >= 128
    np.testing.assert_array_equal(picture.labels, labels)
    np.testing.assert_array_equal(picture.coloured[32:96, 32:96], one.part & labels[32:96, 32:96])
    assert picture.coloured.sum() > 500
    turned_round = draw(np.random.RandomState(3), Scene((subject,)), 128, (Place(0.5, 0.5, 0.5, mirrored=True),))
    np.testing.assert_array_equal(turned_round.labels, labels[:, ::-1])


def test_what_comes_later_is_in_front():
    rose, car = Subject(BY_NOUN["rose"], colour="red"), Subject(BY_NOUN["car"], colour="blue")
    places = Place(0.5, 0.5, 0.6), Place(0.5, 0.5, 0.6)
    both = draw(np.random.RandomState(3), Scene((rose, car)), 128, places)
    behind, front = (draw(np.random.RandomState(3), Scene((one,)), 128, places[:1]).labels == 1 for one in (rose, car))
    np.testing.assert_array_equal(both.labels, np.where(front, 2, behind))
    assert (behind & front).any() and (behind & ~front).any()


def test_the_ground_is_untouched_where_the_truth_says_ground():
    """Where nothing has any alpha, a picture is its ground, to the last bit."""
    for i in range(20):
        picture = example("test", i)
        rng = np.random.RandomState(seed_of("test", i))
        assert random_scene(rng) == picture.scene
        assert random_places(rng, picture.scene) == picture.places
        rng.uniform(size=(len(picture.places), 3))  # the tints
        ground = draw_ground(rng, picture.scene.ground, picture.scene.source, 128)
        changed = (picture.pixels != ground).any(-1)
        assert (changed | (picture.labels == 0)).all()
        assert (picture.labels > 0).sum() > 0.6 * changed.sum()


def test_every_object_is_seen():
    for i in range(150):
        picture = example("train", i)
        counts = np.bincount(picture.labels.ravel(), minlength=len(picture.places) + 1)
        assert len(counts) == len(picture.places) + 1 and counts[1:].min() >= 150, (i, counts)
        assert (picture.labels[picture.coloured] > 0).all()
        for number, owner in enumerate(picture.subjects, start=1):
            has_colour = picture.scene.subjects[owner].colour is not None
            assert picture.coloured[picture.labels == number].any() == has_colour


def test_left_of_is_left_in_the_picture():
    for i in range(200):
        picture = example("train", i)
        if len(picture.scene.subjects) == 2:
            first, second = ((picture.labels == n).nonzero()[1].mean() for n in (1, 2))
            assert first + 20 < second


def test_pictures_of_another_size_show_the_same():
    small, large = (example("test", 11, size) for size in (64, 128))
    assert small.scene == large.scene and small.pixels.shape == (64, 64, 3)
    assert small.places == large.places
    assert ((small.labels > 0) == (large.labels[::2, ::2] > 0)).mean() > 0.95


@pytest.mark.parametrize("ground", GROUNDS, ids=lambda ground: ground.kind)
def test_grounds(ground):
    for source in ground.sources:
        a, b, c = (draw_ground(np.random.RandomState(seed), ground.kind, source, 96) for seed in (1, 1, 2))
        assert a.shape == (96, 96, 3) and a.min() >= 0 and a.max() <= 1
        np.testing.assert_array_equal(a, b)
        assert np.abs(a - c).max() > 0.01
    with pytest.raises(ValueError, match="no ground 'lava'"):
        draw_ground(np.random.RandomState(0), "lava", "drawn", 96)


def test_captions_name_nothing_that_is_not_drawn(scenes):
    for scene in scenes:
        text, named = caption(scene), read(caption(scene))
        subjects = scene.subjects
        assert sorted(named.nouns) == sorted(s.noun for s in subjects), text
        assert sorted(named.colours) == sorted(s.colour for s in subjects if s.says_colour), text
        assert sorted(named.genders) == sorted(s.gender for s in subjects if s.says_gender), text
        assert sorted(named.skin_tones) == sorted(s.skin_tone for s in subjects if s.says_skin), text
        assert named.grounds == ((scene.ground,) if scene.says_ground else ()), text
        assert bool(named.numbers) == (scene.count > 1), text
        assert "{" not in text and "  " not in text and not text.startswith(" "), text


def test_captions_use_the_right_article(scenes):
    for scene in scenes:
        text = caption(scene)
        assert not re.search(r"\ba (?=[aeio])", text), text
        assert not re.search(r"\ban (?![aeio]|umbrella)", text), text


def _as_pattern(template: str) -> re.Pattern:
    return re.compile("^" + re.sub(r"\\{\w+\\}", "(.+)", re.escape(template)) + "$")


def test_every_pattern_of_the_grammar_occurs(scenes):
    said = [caption(scene) for scene in scenes]
    assert len(captions.WITH_GROUND) >= 12
    for sentence in (*captions.WITH_GROUND, *captions.WITHOUT_GROUND):
        fixed = [part for part in re.split(r"\{\w+\}", sentence) if part.strip()]
        assert any(_as_pattern(sentence).match(text) and all(part in text for part in fixed) for text in said), sentence
    inner = (*captions.COLOURED, *captions.WOMEN, *captions.MEN, *captions.TWO, *sum(captions.COUNTS.values(), ()))
    for pattern in inner:
        words = [part.strip() for part in re.split(r"\{\w+\}", pattern) if part.strip()]
        assert any(all(re.search(rf"\b{word}\b", text) for word in words) for text in said), pattern
    for words in captions.SKIN.values():
        assert any(words in text for text in said), words


def test_every_word_of_the_tables_occurs(scenes):
    more = [random_scene(np.random.RandomState(seed_of("train", 6000 + i))) for i in range(14000)]
    called = {(s.noun, s.called) for scene in [*scenes, *more] for s in scene.subjects}
    known = {(one.noun, word) for one in (*THINGS, *PROFESSIONS) for word in (one.noun, *one.synonyms)}
    assert known == called
    assert {scene.ground for scene in scenes} == set(BY_KIND)
    assert {s.colour for scene in scenes for s in scene.subjects if s.says_colour} == set(COLOURS)


def test_what_is_not_named_is_as_the_world_is(scenes):
    things = [s for scene in scenes for s in scene.subjects if getattr(s.of, "colour", None) and not s.says_colour]
    natural = np.mean([s.colour == s.of.colour for s in things])
    assert 0.955 < natural < 0.99
    rng = np.random.RandomState(0)
    people = [random_person(rng) for _ in range(20000)]
    for profession in PROFESSIONS:
        unsaid = Counter(p.gender for p in people if p.of == profession and not p.says_gender)
        women = unsaid["woman"] / (unsaid["woman"] + unsaid["man"])
        assert abs(women - profession.women) < 0.07, profession.noun
        assert abs(unsaid["person"] / sum(unsaid.values()) - SHARE_OF_NEUTRAL) < 0.05
        said = Counter(p.gender for p in people if p.of == profession and p.says_gender)
        assert set(said) == {"woman", "man"} and abs(said["woman"] / sum(said.values()) - 0.5) < 0.1
    assert {p.skin_tone for p in people} == set(SKIN_TONES)


def test_phrases():
    rng = np.random.RandomState(0)
    assert phrase(rng, Subject(BY_NOUN["airplane"], colour="blue")) == "an airplane"
    assert phrase(rng, Subject(BY_NOUN["unicorn"])) == "a unicorn"
    assert phrase(rng, Subject(PROFESSION["nurse"], gender="woman", skin_tone="dark", says_skin=True)) == (
        "a nurse with dark skin"
    )
    said = {phrase(np.random.RandomState(i), Subject(BY_NOUN["rose"], "orange", True)) for i in range(60)}
    assert said == {"an orange rose", "a rose in orange", "a rose that is orange"}
    men = Subject(PROFESSION["police officer"], gender="man", says_gender=True, skin_tone="light")
    assert {phrase(np.random.RandomState(i), men, 4).split(" ", 1)[1] for i in range(60)} == {
        "men police officers", "male police officers", "police officers who are men",
    }  # fmt: skip


def test_plurals():
    words = "bus, butterfly, maple leaf, slice of pizza, fish, scarf, dress, toy, church, fox, clerk"
    assert [plural(word) for word in words.split(", ")] == [
        "buses", "butterflies", "maple leaves", "slices of pizza", "fish", "scarves", "dresses", "toys", "churches", "foxes",
        "clerks",
    ]  # fmt: skip


def test_scenes_that_are_none():
    rose = Subject(BY_NOUN["rose"], colour="red")
    for subjects, count in (((), 1), ((rose,) * 3, 1), ((rose, rose), 2), ((rose,), 5)):
        with pytest.raises(ValueError, match="one subject, up to 4"):
            Scene(subjects, count)
    with pytest.raises(ValueError, match="lies outside"):
        draw(np.random.RandomState(0), Scene((rose,)), 128, (Place(3, 3, 0.3),))
    with pytest.raises(ValueError, match="not made larger"):
        draw(np.random.RandomState(0), Scene((rose,)), 512)
