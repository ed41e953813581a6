"""How good an inversion is said to be."""

import json

import pytest
from time_diffedit.diffedit_core.inversion.report import InversionReport


def report(residuals: tuple[float | None, ...], missed: tuple[float, ...] | None, spread: float = 2.0) -> InversionReport:
    return InversionReport("ddim", 1.0, 2, (0.0, 1.0, 2.0), residuals, missed, spread, 0)


@pytest.mark.parametrize(
    ("residuals", "missed", "grade"),
    [
        ((0.3, 0.3), (0.5, 0.04), "good"),  # what was measured counts, whatever the steps say
        ((0.001, 0.001), (0.5, 0.05), "doubtful"),
        ((0.001, 0.001), (0.5, 0.21), "poor"),
        ((0.01, 0.02), None, "good"),
        ((0.03, 0.02), None, "doubtful"),
        ((3.0, 3.0), None, "doubtful"),  # steps alone find nothing to be poor
        ((None, 0.01), None, ""),
        ((None, None), (0.1, 0.01), "good"),
    ],
)
def test_the_grade_is_that_of_what_was_measured(residuals, missed, grade):
    told = json.loads(json.dumps(report(residuals, missed).as_json()))
    assert told["grade"] == grade and told["poor"] is (grade == "poor")
    assert told["residual"] == (None if None in residuals else pytest.approx(sum(residuals)))
