"""The lambda at which a wanted share is reached, read off a curve for each prompt through all pictures that were judged.

A share of few pictures is noisy, and so is the last probe of a search. The curves use the pictures of all probes; psychophysics
finds thresholds in this way. One curve for all prompts would not do: a prompt can be edited whole at a lambda at which another
is not edited at all, so that their mean falls in steps.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import expit

from .search import Probe, Search

PROMPTS_RIDGE = 0.3  # on how far a prompt's curve lies from their mean, in logits: few pictures of a prompt say little
SLOPE_RIDGE = 0.01  # on the slope a unit of log lambda: keeps it finite where the shares jump from 0 to 1
SURE = 1.96  # standard errors to each side of an interval of 95 %


@dataclass(frozen=True)
class Found:
    """What was read off: at `lamb`, given to six digits so that machines whose arithmetic differs in the last bit agree on it,
    the mean `share` of the prompts, which lies within `margin` of it with 95 % confidence."""

    lamb: float
    share: float
    margin: float


def read_off(search: Search, probes: Sequence[Probe]) -> Found:
    """Where the mean over prompts of the curves through all probes is `search.target`; within the search's bounds.

    A prompt's share falls with log lambda as p = 1 / (1 + exp(slope (log lambda - middle))), with a middle of its own and one
    slope for all, by penalised maximum likelihood; the margin is that of its normal approximation. At the bounds one picture
    each is assumed to show the whole edit and none, which decides nothing once something is measured. If the shares rise
    instead, it is the measured lambda whose share is nearest to the target.

    Args:
        probes: at least one, all of the same prompts.
    """
    prompts = len(probes[0].made)
    x = np.log([search.lowest, search.highest, *(probe.lamb for probe in probes)])
    made = np.concatenate([np.full((2, prompts), 1 / prompts), [probe.made for probe in probes]])
    shown = np.concatenate([np.full((1, prompts), 1 / prompts), np.zeros((1, prompts)), [probe.shown for probe in probes]])
    middle = x.mean()
    logits, slope, covariance = _curves(x - middle, shown, made)
    if slope >= 0:
        nearest = search.nearest(probes)
        return Found(nearest.lamb, nearest.share, SURE * math.sqrt(0.25 / sum(nearest.made)))

    def by_prompt(log_lambda: float) -> np.ndarray:
        return expit(logits + slope * (log_lambda - middle))

    def excess(log_lambda: float) -> float:
        return by_prompt(log_lambda).mean() - search.target

    low, high = math.log(search.lowest), math.log(search.highest)
    at = low if excess(low) <= 0 else high if excess(high) >= 0 else cast(float, brentq(excess, low, high))
    found = by_prompt(at)
    steepness = found * (1 - found) / prompts
    gradient = np.append(steepness, steepness.sum() * (at - middle))
    error = math.sqrt(gradient @ covariance @ gradient)
    return Found(float(f"{math.exp(at):.6g}"), float(found.mean()), SURE * error)


def _curves(x: np.ndarray, shown: np.ndarray, made: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """(prompts,) logits at x = 0, their slope, and the covariance of all of these, for (len(x), prompts) pictures, of which
    `shown` show the destination."""
    prompts = shown.shape[1]
    rows = np.column_stack([np.tile(np.eye(prompts), (len(x), 1)), np.repeat(x, prompts)])
    shown, made = shown.ravel(), made.ravel()
    penalty = np.zeros((prompts + 1, prompts + 1))
    penalty[:prompts, :prompts] = PROMPTS_RIDGE * (np.eye(prompts) - 1 / prompts)
    penalty[prompts, prompts] = SLOPE_RIDGE

    def loss(w: np.ndarray) -> float:
        logits = rows @ w
        return (made * np.logaddexp(0, logits) - shown * logits).sum() + w @ penalty @ w / 2

    def gradient(w: np.ndarray) -> np.ndarray:
        return rows.T @ (made * expit(rows @ w) - shown) + penalty @ w

    def hessian(w: np.ndarray) -> np.ndarray:
        p = expit(rows @ w)
        return (rows * (made * p * (1 - p))[:, None]).T @ rows + penalty

    best = minimize(loss, np.zeros(prompts + 1), jac=gradient, hess=hessian, method="trust-exact", options={"gtol": 1e-8}).x
    return best[:prompts], best[prompts], np.linalg.inv(hessian(best))
