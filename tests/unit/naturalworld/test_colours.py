"""Natural world: colours have names, and every thing's colour can be turned to every one of them and told."""

import numpy as np
import pytest
from naturalworld.colours import COLOURS, NAMES, colour_names, fills, main_colour, repaint, turned
from naturalworld.measure import main_share, told
from naturalworld.oklch import from_oklch, hue_difference, to_oklch
from naturalworld.pictures import STYLES, picture
from naturalworld.sprites import thing_sprite
from naturalworld.things import BY_NOUN, LEAST_SHARE, LEAST_TOLD, THINGS

COLOURED = [thing for thing in THINGS if thing.colour]


def test_oklch_and_back():
    rgb = np.random.RandomState(0).rand(500, 3)
    np.testing.assert_allclose(from_oklch(to_oklch(rgb)), rgb, atol=1e-5)
    lightness, chroma, hue = to_oklch(np.array([1.0, 0, 0]))
    np.testing.assert_allclose([lightness, chroma, hue], [0.628, 0.2577, 29.23], rtol=1e-3)


def test_what_srgb_has_not_keeps_lightness_and_hue():
    impossible = np.array([[0.9, 0.4, 260.0], [0.2, 0.3, 100.0]])
    reached = to_oklch(from_oklch(impossible))
    np.testing.assert_allclose(reached[:, 0], impossible[:, 0], atol=1e-3)
    assert (np.abs(hue_difference(reached[:, 2], impossible[:, 2])) < 1).all()
    assert (reached[:, 1] < impossible[:, 1]).all()


@pytest.mark.parametrize("colour", COLOURS)
def test_a_colour_has_its_own_name(colour):
    assert NAMES[colour_names(from_oklch(np.array(COLOURS[colour])))] == colour


def test_neutral_pixels_have_neutral_names():
    greys = np.array([[0.05] * 3, [0.5] * 3, [0.97] * 3])
    assert [NAMES[i] for i in colour_names(greys)] == ["black", "grey", "white"]


@pytest.mark.parametrize("thing", COLOURED, ids=lambda thing: thing.noun)
def test_every_colour_is_told_on_every_thing_that_has_one(thing):
    for style in STYLES:
        assert main_share(thing, style) >= LEAST_SHARE
        shares = {colour: told(thing, style, colour) for colour in COLOURS}
        assert min(shares.values()) >= LEAST_TOLD, (style, shares)


def test_turning_leaves_the_rest_as_it_is():
    """A blue rose has the red one's leaves, to the last pixel."""
    red, blue = (thing_sprite(BY_NOUN["rose"], "noto", colour) for colour in ("red", "blue"))
    np.testing.assert_array_equal(red.rgba[..., 3], blue.rgba[..., 3])
    leaves = np.array(NAMES)[colour_names(red.rgba[..., :3] / 255)] == "green"
    inside = leaves & (red.rgba[..., 3] == 255) & ~red.part
    assert inside.sum() > 200
    same = (red.rgba[inside] == blue.rgba[inside]).all(-1)
    assert same.mean() > 0.9  # the others touch the petals
    assert not (red.rgba[red.part] == blue.rgba[blue.part]).all(-1).any()


def test_turning_keeps_the_order_of_lightness():
    main = main_colour("noto", "rose")
    before = [to_oklch(np.array([int(fill[i : i + 2], 16) for i in (1, 3, 5)]) / 255)[0] for fill in main.fills]
    blue = turned("noto", "rose", "blue")
    new = sorted(fills(blue) - fills(picture("noto", "rose")))
    after = [to_oklch(np.array([int(fill[i : i + 2], 16) for i in (1, 3, 5)]) / 255)[0] for fill in new]
    assert len(new) == len(main.fills) >= 2
    spread = (max(after) - min(after)) / (max(before) - min(before))
    assert 0.4 < spread <= 0.7


def test_repainting_only_the_fills_that_are_named():
    assert repaint('<path fill="#fff"/><stop stop-color="#123456"/>', {"#fff": "#000000"}) == (
        '<path fill="#000000"/><stop stop-color="#123456"/>'
    )


def test_a_thing_without_colour_is_not_turned():
    with pytest.raises(ValueError, match="panda is not turned to blue"):
        thing_sprite(BY_NOUN["panda"], "noto", "blue")


def test_a_picture_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="No picture 'griffin' in style 'noto'"):
        picture("noto", "griffin")
