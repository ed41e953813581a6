"""The study of masks on the natural world, for one picture of two things."""

from types import SimpleNamespace

import pytest
from naturalworld.edits import natural_edit

from benchmarks.hosts.library import NATURAL, LibraryHost
from benchmarks.measurements import natural_settings
from benchmarks.measurements.natural_settings import NaturalSettings, masks

OF_TWO = next(i for i in range(18, 27) if natural_edit("validation", i).other is not None)


@pytest.fixture(scope="module")
def rows():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(natural_settings, "NOISE_STRENGTHS", (0.4,))
        host = LibraryHost(NATURAL, NaturalSettings.sampling)
        return masks(SimpleNamespace(host=host), OF_TWO)["masks by noise and rule"]


def test_no_mask_of_cells_is_better_than_the_best_one(rows):
    best = rows.pop("highest of latent cells")["IoU, one of two"]
    found = [row["IoU, one of two"] for row in rows.values()]
    assert 0.05 < max(found) <= best < 1


def test_a_larger_mask_takes_in_as_much_of_the_other_thing(rows):
    assert 0 <= rows["noise 0.4, otsu"]["other"] <= rows["noise 0.4, otsu, grow 1"]["other"] <= 1
    assert len(rows) >= len(natural_settings.RULES)
