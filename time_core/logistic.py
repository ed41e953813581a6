"""The lambda at which a wanted share is reached, read off a logistic curve through all measurements.

A share of few pictures is noisy, and the last probe of a bisection is as noisy as the first. The curve uses the pictures of all
probes; psychophysics finds thresholds in this way.
"""

import math
from collections.abc import Sequence

import torch

from .balance import Probe, Search

NEWTON_STEPS = 50
RIDGE = 0.01  # on the slope a unit of log lambda: keeps it finite where the shares jump from 0 to 1


def fitted_lambda(search: Search, probes: Sequence[Probe], pictures: int) -> float:
    """Where the curve through `probes`, of `pictures` each, has the share `search.target`; within the search's bounds.

    The share falls with log lambda: p = 1 / (1 + exp(slope (log lambda - middle))), by maximum likelihood. At the bounds one
    picture each is assumed to show the whole edit and none, which decides nothing once something is measured.
    """
    ends = (Probe(search.lowest, 1.0), Probe(search.highest, 0.0))
    x = torch.tensor([math.log(probe.lamb) for probe in (*ends, *probes)], dtype=torch.float64)
    share = torch.tensor([probe.share for probe in (*ends, *probes)], dtype=torch.float64)
    count = torch.tensor([1.0, 1.0] + [pictures] * len(probes), dtype=torch.float64)
    centre = x.mean()
    rows = torch.stack([torch.ones_like(x), x - centre], dim=1)
    penalty = torch.tensor([0.0, RIDGE], dtype=torch.float64)

    def loss(weights: torch.Tensor) -> torch.Tensor:
        entropy = torch.nn.functional.binary_cross_entropy_with_logits(rows @ weights, share, count, reduction="sum")
        return entropy + (penalty * weights.square()).sum() / 2

    weights = torch.zeros(2, dtype=torch.float64)
    for _ in range(NEWTON_STEPS):
        p = torch.sigmoid(rows @ weights)
        gradient = rows.T @ (count * (p - share)) + penalty * weights
        hessian = (rows * (count * p * (1 - p))[:, None]).T @ rows + torch.diag(penalty)
        step = torch.linalg.solve(hessian + 1e-12 * torch.eye(2, dtype=torch.float64), gradient)
        while loss(weights - step) > loss(weights) and step.abs().max() > 1e-12:
            step = step / 2
        weights = weights - step
    if weights[1] >= 0:  # the measurements do not fall: nothing to read off
        return search.best(probes).lamb
    target = min(max(search.target, 1e-6), 1 - 1e-6)
    log_lambda = centre + (math.log(target / (1 - target)) - weights[0]) / weights[1]
    return float(min(max(math.exp(log_lambda), search.lowest), search.highest))
