"""Finds the batch size at which an encoder is quickest."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from engine.workflow.embedding import FloatArray

Encode = Callable[[Sequence[str]], FloatArray]
"""Unit-norm vectors, one row a text; blocks while it works."""

SIZES = (1, 2, 4, 8, 16, 32, 64)
ROUNDS = 3
NEARLY = 0.97
"""A smaller batch that is this near to the best is the better one: nobody waits for its rest."""
ENOUGH = 5
"""Sizes that are always tried: by one or two texts a disturbed machine says little."""
_SAMPLE = (
    "How do I sort a list in Python?",
    "What is the difference between a process and a thread, and when is one better?",
    "Why does my service answer slowly after a deployment although nothing else changed?",
    "Which argument of open() sets the encoding?",
)


class Swept(NamedTuple):
    """How many texts a second an encoder takes at one batch size."""

    size: int
    texts_per_s: float


def swept(
    encode: Encode,
    *,
    sizes: Sequence[int] = SIZES,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Swept]:
    """The rate at each size, by the quickest of a few rounds, which other load disturbs least.

    Where twice a size gains nothing any more, twice that is not tried: a processor stops gaining
    early, and who waits for its first answer waits for this.
    """
    encode(_SAMPLE[:1])
    first: list[float] = []
    for size in sizes:
        first.append(_seconds(encode, size, clock))
        if _gains_no_more([each / took for each, took in zip(sizes, first, strict=False)]):
            break
    tried = sizes[: len(first)]
    # Round by round, so that other load meets all sizes alike.
    rounds = [first]
    rounds += [[_seconds(encode, size, clock) for size in tried] for _ in range(ROUNDS - 1)]
    quickest = [min(seconds) for seconds in zip(*rounds, strict=True)]
    return [Swept(size, size / least) for size, least in zip(tried, quickest, strict=True)]


def best(rates: Sequence[Swept]) -> int:
    """The smallest size that is nearly as quick as the quickest."""
    most = max(rate.texts_per_s for rate in rates)
    return min(rate.size for rate in rates if rate.texts_per_s >= NEARLY * most)


def _gains_no_more(rates: Sequence[float]) -> bool:
    """Whether the last two sizes, both of some texts, are no quicker than one before them."""
    if len(rates) < ENOUGH:
        return False
    return max(rates[-2:]) * NEARLY <= max(rates[:-2])


def _seconds(encode: Encode, size: int, clock: Callable[[], float]) -> float:
    texts = [f"{_SAMPLE[n % len(_SAMPLE)]} ({n})" for n in range(size)]
    began = clock()
    encode(texts)
    # A clock too coarse to see it must not divide by nothing.
    return max(clock() - began, 1e-9)
