"""Sample-ratio mismatch: whether units met the variants in the planned shares."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import gammaln

from engine.errors import UnmeasuredError


def srm_log_e(
    cells: Sequence[tuple[tuple[int, ...], tuple[float, ...]]], *, concentration: float = 1000.0
) -> float:
    """Return ln E against "the planned shares were served", over (counts, shares) of versions.

    Each version starts a new Dirichlet prior around its own plan and the factors multiply. An
    alarm at E >= 1000 is false at most once in a thousand experiments, whenever one looks.

    Raises:
        UnmeasuredError: Counts and shares do not belong together.
    """
    return sum(
        multinomial_log_e(counts, shares, tuple(concentration * share for share in shares))
        for counts, shares in cells
    )


def multinomial_log_e(
    counts: Sequence[int], shares: Sequence[float], prior: Sequence[float]
) -> float:
    """Return the ln Bayes factor of a Dirichlet prior against fixed shares.

    Lindon & Malek (2022, NeurIPS), the inductive form of their Bayes factor in counts.
    """
    n, p, k = np.asarray(counts), np.asarray(shares), np.asarray(prior)
    if not n.shape == p.shape == k.shape or n.size == 0 or n.min() < 0:
        raise UnmeasuredError(f"shares: {tuple(counts)} are no counts for shares {tuple(shares)}")
    if not p.min() > 0.0 or not math.isclose(float(p.sum()), 1.0, abs_tol=1e-9):
        raise UnmeasuredError(f"shares {tuple(shares)} must lie above 0 and sum to 1")
    if not k.min() > 0.0:
        raise UnmeasuredError("shares: the prior's concentration must lie above 0")
    free = gammaln(k.sum()) - gammaln(k.sum() + n.sum()) + (gammaln(k + n) - gammaln(k)).sum()
    return float(free - (n * np.log(p)).sum())
