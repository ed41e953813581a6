"""The closed form of TIME (Orgad, Kawar, Belinkov, ICCV 2023, arXiv 2303.08084, equation 5), in float64.

For a key or value projection W, source embeddings c_i and destination embeddings c*_i, the paper minimises

    sum_i |W' c_i - W c*_i|^2 + lambda |W' - W|^2      over W'.

The minimiser multiplies every W from the right by one and the same matrix:

    W' = W (I + P),    P = (C* - C) (lambda I + C^T C)^-1 C^T = (C* - C) C^T (lambda I + C C^T)^-1.

The paper's vectors are columns, C is (d, n). Here an embedding is a row, as a text encoder gives it: `source` and
`destination` are (n, d), one token a row, so C = source.T. P is the same (d, d) in both and is always kept as thin
factors, P = left @ right.T.
"""

import math

import torch

# Singular values below this share of the largest are left out; float32 factors resolve about 1e-7 of it.
RANK_TOLERANCE = 1e-10


def check_lambda(lamb: float) -> None:
    """Raise ValueError unless `lamb` is a positive, finite number."""
    if not (math.isfinite(lamb) and lamb > 0):
        raise ValueError(f"lambda is {lamb}; it must be a positive, finite number, such as 0.1.")


def edit_factors(source: torch.Tensor, destination: torch.Tensor, lamb: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Solve for P and return (left, right), both (d, m) with P = left @ right.T, m the number of rows that change.

    Args:
        source, destination: (n, d) float64 rows c_i and c*_i; a preserved row has c* = c.
        lamb: the ridge, > 0, in units of a squared embedding length; the paper uses 0.1.

    Raises ValueError for a lambda that is not positive and finite or too small for float64, for shapes that differ and
    for embeddings that are not finite.
    """
    check_lambda(lamb)
    _check_rows(source, destination)
    changed = changed_rows(source, destination)
    factor, info = torch.linalg.cholesky_ex(_system(source, lamb))
    if info.item() != 0:
        raise ValueError(f"lambda {lamb:g} is too small for these prompts: the system is singular in float64; raise lambda.")
    if source.shape[0] < source.shape[1]:
        right = torch.cholesky_solve(source, factor)[changed].T
    else:
        right = torch.cholesky_solve(source[changed].T, factor)
    return (destination - source)[changed].T, right


def right_factor(source: torch.Tensor, destination: torch.Tensor, lamb: float) -> torch.Tensor:
    """P itself, (d, d) float64, with the arguments and errors of `edit_factors`."""
    left, right = edit_factors(source, destination, lamb)
    return left @ right.T


def low_rank(left: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The thinnest factors (d, r) of left @ right.T: a singular value decomposition cut at RANK_TOLERANCE.

    `left` and `right` are (d, m) with m >= 1. The root of each singular value goes into both factors, so that their
    entries are of one size and both can be rounded to float32 (relative error of the product below 1e-6).
    """
    if left.shape[1] < left.shape[0]:
        left_basis, left_core = torch.linalg.qr(left)
        right_basis, right_core = torch.linalg.qr(right)
        u, s, vh = torch.linalg.svd(left_core @ right_core.T)
        u, v = left_basis @ u, right_basis @ vh.T
    else:
        u, s, vh = torch.linalg.svd(left @ right.T)
        v = vh.T
    rank = int((s > RANK_TOLERANCE * s[0]).sum())
    root = s[:rank].sqrt()
    return u[:, :rank] * root, v[:, :rank] * root


def changed_rows(source: torch.Tensor, destination: torch.Tensor) -> torch.Tensor:
    """(n,) bool: the rows with c* != c. The encoder is causal, so words before the first insertion do not change."""
    return (source != destination).any(dim=1)


def condition_number(source: torch.Tensor, lamb: float) -> float:
    """The condition number of the matrix that `edit_factors` decomposes; float64 loses its logarithm in digits."""
    eigenvalues = torch.linalg.eigvalsh(_system(source, lamb))
    return (eigenvalues[-1] / eigenvalues[0].clamp(min=lamb)).item()


def fit_residual(source: torch.Tensor, destination: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> float:
    """|(I + P) c - c*| / |c* - c| over the rows that change: 0 is a complete edit, 1 is none."""
    changed = changed_rows(source, destination)
    wanted = (destination - source)[changed]
    return ((apply(source[changed], left, right) - wanted).norm() / wanted.norm()).item()


def leak(rows: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> float:
    """|P c| / |c| over `rows` (n, d): how far the edit moves a prompt that it was not made for."""
    return (apply(rows, left, right).norm() / rows.norm()).item()


def edit_size(left: torch.Tensor, right: torch.Tensor) -> float:
    """|P| / |I| in the Frobenius norm: the relative change of a projection that favours no direction."""
    return ((left.T @ left) * (right.T @ right)).sum().clamp(min=0).sqrt().item() / math.sqrt(left.shape[0])


def apply(rows: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """P c for every row c: (n, d) -> (n, d)."""
    return (rows @ right) @ left.T


def _system(source: torch.Tensor, lamb: float) -> torch.Tensor:
    """lambda I + C^T C (n, n) or lambda I + C C^T (d, d), whichever is smaller; both forms give the same P."""
    gram = source @ source.T if source.shape[0] < source.shape[1] else source.T @ source
    gram.diagonal().add_(lamb)
    return gram


def _check_rows(source: torch.Tensor, destination: torch.Tensor) -> None:
    if source.dim() != 2 or source.shape != destination.shape:
        raise ValueError(
            f"source and destination embeddings have shapes {tuple(source.shape)} and {tuple(destination.shape)}; "
            "both must be (rows, width), row i of one belonging to row i of the other."
        )
    for name, rows in (("source", source), ("destination", destination)):
        if rows.dtype != torch.float64:
            raise ValueError(f"{name} embeddings are {rows.dtype}; the solve needs torch.float64.")
        if not torch.isfinite(rows).all():
            raise ValueError(f"The text encoder gave {name} embeddings that are not finite; use it in a higher precision.")
