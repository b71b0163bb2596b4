"""Whether a variant has become worse since it was promoted, whenever that began.

An e-detector (Shin, Ramdas & Rinaldo 2024) is a sum of tests, of which a new one starts with each
batch: those that started near the change do not carry the good time before it along. While the
lift never falls to ``-margin`` or below, the mean number of batches before ``log_e`` reaches ln A
is at least A.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, inf, log

from engine.stats.betting import PROMOTION, Bets, Centre, Tally, log_e
from engine.stats.errors import HARMFUL, error_growth


@dataclass(frozen=True)
class Detector:
    """The Shiryaev-Roberts sums after some batches, one for each effect bet on."""

    log_sums: tuple[float, ...]
    """Natural logarithms; minus infinity before the first batch."""
    bets: Bets = PROMOTION

    @classmethod
    def begun(cls, bets: Bets = PROMOTION) -> "Detector":
        """The detector before its first batch."""
        return cls((-inf,) * len(bets.deltas), bets)

    @property
    def log_e(self) -> float:
        """Evidence of a change for the worse: an alarm where it reaches ln A."""
        weighed = [log(w) + one for w, one in zip(self.bets.weights, self.log_sums, strict=True)]
        return _log_sum(weighed)

    def after(
        self, batch: Sequence[Tally], *, f: float | Centre | None, margin: float = 0.0
    ) -> "Detector":
        """The detector after one more batch, given as one tally a propensity.

        ``f`` is the former variant's mean score, frozen before the first batch. By effect, the sum
        M becomes (M + 1) times what a bet of that effect on "worse by more than ``margin``" made
        of the batch.

        Raises:
            ConfigError: ``f`` or ``margin`` is out of range.
        """
        grown = []
        for delta, before in zip(self.bets.deltas, self.log_sums, strict=True):
            alone = Bets(deltas=(delta,), weights=(1.0,), cap=self.bets.cap)
            gain = log_e(batch, f=f, m=margin, bets=alone, mirrored=True)
            grown.append(_log_sum((before, 0.0)) + gain)
        return Detector(tuple(grown), self.bets)


def regression_log_e(
    batches: Iterable[Sequence[Tally]], *, f: float | Centre | None, margin: float = 0.0
) -> float:
    """The most evidence of a change for the worse at the end of any batch; no batch gives 0.

    It is the largest, not the last: an alarm counts although nobody looked at that moment.
    """
    detector, most = Detector.begun(), 0.0
    for batch in batches:
        detector = detector.after(batch, f=f, margin=margin)
        most = max(most, detector.log_e)
    return most


def error_regression_log_e(
    batches: Iterable[Sequence[tuple[float, int, int]]], *, m0: float = 1.25
) -> float:
    """The same of errors: of "it fails more than ``m0`` times as often by now".

    Each batch holds (pi, errors of the promoted variant, errors of the pair) of its versions, as
    `engine.stats.errors` counts them.

    Raises:
        ConfigError: ``m0`` is too large for the ratios that are bet on.
        UnmeasuredError: A count can't be one.
    """
    sums, most = [-inf] * len(HARMFUL), 0.0
    for batch in batches:
        growth = error_growth(batch, m0=m0)
        sums = [_log_sum((one, 0.0)) + gain for one, gain in zip(sums, growth, strict=True)]
        most = max(most, _log_sum(sums) - log(len(sums)))
    return most


def _log_sum(logs: Sequence[float]) -> float:
    """The logarithm of a sum whose terms are given as logarithms."""
    most = max(logs)
    return most if most == -inf else most + log(sum(exp(one - most) for one in logs))
