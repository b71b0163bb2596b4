"""Which variants are passed over for now, because their answers fail."""

import math
from dataclasses import dataclass, field
from typing import Literal

from engine.config.protection import Ejection

NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Ejected:
    """A change of who may answer, for the ledger and the metrics."""

    what: Literal["ejected", "returned", "panic", "calm"]
    at: float
    variant: str = ""
    why: str = ""
    until: float | None = None


@dataclass
class _Record:
    row: int = 0
    """Failures since the last success."""
    good: int = 0
    bad: int = 0
    """Answers within the present interval."""
    times: int = 0
    """Ejections to reckon the next one's length with; healthy intervals wear it off."""
    until: float | None = None
    """When it returns; None while it may answer."""
    since: float = -math.inf
    """When it last returned."""

    def back(self, at: float) -> None:
        """Begin afresh; only the number of ejections is remembered."""
        self.until, self.since, self.row, self.good, self.bad = None, at, 0, 0, 0


@dataclass
class Ejector:
    """One workflow's variants and how they fared, as one gateway saw it.

    A variant whose answers fail is out for a time, and the baseline answers in its place; its
    units stay assigned to it, so the failures still count against it. The baseline is never out.
    With more than `panic_percent` of the variants out the fault is hardly theirs: nothing more is
    learnt about single ones, and the baseline serves everybody until enough of them returned.

    What counts as a failure is what the gateway saw of an answer: error, timeout, a replica that
    died. What a client did wrong is not to be told here.
    """

    settings: Ejection
    baseline: str = ""
    _records: dict[str, _Record] = field(default_factory=dict)
    _swept_at: float | None = None
    _changes_at: float = math.inf
    _out: frozenset[str] = NOBODY
    _panic: bool = False
    _news: list[Ejected] = field(default_factory=list)

    def seated(self, baseline: str, variants: frozenset[str], at: float) -> None:
        """Tell which variants there are now; one that left is forgotten."""
        names = variants | {baseline}
        self.baseline = baseline
        self._records = {name: self._records.get(name) or _Record() for name in sorted(names)}
        if self._records[baseline].until is not None:
            self._return(baseline, at)
        self._settle(at)

    def saw(self, variant: str, at: float, *, ok: bool) -> None:
        """Take in how an answer of a variant came out."""
        if not self.settings.enabled or variant not in self._records:
            return
        self._catch_up(at)
        record = self._records[variant]
        # What was under way when it was ejected says nothing that isn't known.
        if record.until is not None or self._panic:
            return
        if ok:
            record.row, record.good = 0, record.good + 1
            return
        record.row, record.bad = record.row + 1, record.bad + 1
        if record.row >= self.settings.consecutive_5xx:
            self._eject(variant, f"{record.row} failures in a row", at)

    def out(self, at: float) -> frozenset[str]:
        """The variants that must not answer now; in panic all but the baseline."""
        self._catch_up(at)
        if self._panic:
            return frozenset(self._records) - {self.baseline}
        return self._out

    def news(self) -> tuple[Ejected, ...]:
        """What changed since the last call."""
        told, self._news = tuple(self._news), []
        return told

    def _catch_up(self, at: float) -> None:
        if at >= self._changes_at:
            for name, record in self._records.items():
                if record.until is not None and record.until <= at:
                    self._return(name, record.until)
            self._settle(at)
        if self._swept_at is None:
            self._swept_at = at
        elif at - self._swept_at >= self.settings.interval_s:
            self._sweep(self._swept_at, at)

    def _sweep(self, before: float, at: float) -> None:
        self._swept_at = at
        for name, rate in self._laggards():
            self._eject(name, f"success rate of {rate:.1%} is far under the others'", at)
        for record in self._records.values():
            if record.until is None:
                healthy = int((at - max(before, record.since)) // self.settings.interval_s)
                record.times = max(record.times - healthy, 0)
            record.good = record.bad = 0

    def _laggards(self) -> list[tuple[str, float]]:
        known = self.settings
        rates = {
            name: record.good / (record.good + record.bad)
            for name, record in self._records.items()
            if record.good + record.bad >= known.success_rate_request_volume
        }
        if len(rates) < known.success_rate_minimum_hosts:
            return []
        mean = math.fsum(rates.values()) / len(rates)
        variance = math.fsum((rate - mean) ** 2 for rate in rates.values()) / len(rates)
        least = mean - known.success_rate_stdev_factor * math.sqrt(variance)
        return sorted((name, rate) for name, rate in rates.items() if rate < least)

    def _eject(self, variant: str, why: str, at: float) -> None:
        most = max(len(self._records) * self.settings.max_ejection_percent // 100, 1)
        if variant == self.baseline or self._panic or len(self._out) >= most:
            return
        record, known = self._records[variant], self.settings
        record.times += 1
        lasts_s = min(known.base_ejection_time_s * record.times, known.max_ejection_time_s)
        record.until = at + lasts_s
        self._news.append(Ejected("ejected", at, variant, why, record.until))
        self._settle(at)

    def _return(self, variant: str, at: float) -> None:
        self._records[variant].back(at)
        self._news.append(Ejected("returned", at, variant))

    def _settle(self, at: float) -> None:
        ends = {name: one.until for name, one in self._records.items() if one.until is not None}
        self._out = frozenset(ends)
        self._changes_at = min(ends.values(), default=math.inf)
        panic = len(ends) * 100 > self.settings.panic_percent * len(self._records)
        if panic != self._panic:
            self._panic = panic
            self._news.append(Ejected("panic" if panic else "calm", at))
