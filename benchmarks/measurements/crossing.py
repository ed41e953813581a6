"""The lambda at which a wanted share is reached, read off a curve for each prompt through all measurements.

A share of few pictures is noisy, and the last probe of a bisection is as noisy as the first. The curves use the pictures of all
probes; psychophysics finds thresholds in this way. One curve for all prompts would not do: a prompt can be edited whole at a
lambda at which another is not edited at all, so that their mean falls in steps.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import expit

from time_core.balance.search import Probe, Search

PROMPTS_RIDGE = 0.3  # on how far a prompt's curve lies from their mean, in logits: few pictures of a prompt say little
SLOPE_RIDGE = 0.01  # on the slope a unit of log lambda: keeps it finite where the shares jump from 0 to 1


def fitted_lambda(search: Search, lambdas: Sequence[float], shares: np.ndarray, pictures: int) -> float:
    """Where the mean over prompts of the curves through all `shares` is `search.target`; within the search's bounds.

    A prompt's share falls with log lambda as p = 1 / (1 + exp(slope (log lambda - middle))), with a middle of its own and one
    slope for all, by penalised maximum likelihood. At the bounds one picture each is assumed to show the whole edit and none,
    which decides nothing once something is measured. If the shares rise instead, the best measured lambda is returned.

    Args:
        lambdas: where was measured, above 0.
        shares: (len(lambdas), prompts) float in 0..1, of `pictures` each.

    Returns:
        To six digits, so that machines whose arithmetic differs in the last bit agree on it.
    """
    prompts = shares.shape[1]
    x = np.log([search.lowest, search.highest, *lambdas])
    y = np.concatenate([np.ones((1, prompts)), np.zeros((1, prompts)), shares])
    count = np.array([1 / prompts, 1 / prompts] + [pictures] * len(lambdas))
    logits, slope = _curves(x - x.mean(), y, count)
    if slope >= 0:
        return search.best([Probe(lamb, share) for lamb, share in zip(lambdas, shares.mean(1), strict=True)]).lamb

    def excess(log_lambda: float) -> float:
        return expit(logits + slope * (log_lambda - x.mean())).mean() - search.target

    low, high = math.log(search.lowest), math.log(search.highest)
    if excess(low) <= 0:
        return search.lowest
    if excess(high) >= 0:
        return search.highest
    return float(f"{math.exp(brentq(excess, low, high)):.6g}")


def _curves(x: np.ndarray, y: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, float]:
    """(prompts,) logits at x = 0 and their slope, for shares `y` (len(x), prompts) of `count` (len(x),) pictures each."""
    prompts = y.shape[1]
    rows = np.column_stack([np.tile(np.eye(prompts), (len(x), 1)), np.repeat(x, prompts)])
    y, count = y.ravel(), np.repeat(count, prompts)
    penalty = np.zeros((prompts + 1, prompts + 1))
    penalty[:prompts, :prompts] = PROMPTS_RIDGE * (np.eye(prompts) - 1 / prompts)
    penalty[prompts, prompts] = SLOPE_RIDGE

    def loss(w: np.ndarray) -> float:
        logits = rows @ w
        return count @ (np.logaddexp(0, logits) - y * logits) + w @ penalty @ w / 2

    def gradient(w: np.ndarray) -> np.ndarray:
        return rows.T @ (count * (expit(rows @ w) - y)) + penalty @ w

    def hessian(w: np.ndarray) -> np.ndarray:
        p = expit(rows @ w)
        return (rows * (count * p * (1 - p))[:, None]).T @ rows + penalty

    best = minimize(loss, np.zeros(prompts + 1), jac=gradient, hess=hessian, method="trust-exact", options={"gtol": 1e-8})
    return best.x[:prompts], best.x[prompts]
