"""The hot problems of a workspace from its traces themselves, file by file."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

import polars as pl

from engine.books.store import Store
from engine.evidence.calls import calls_of
from engine.evidence.facts import Facts
from engine.evidence.observe import (
    EXAMPLES,
    USUAL,
    WORST_BY,
    Limits,
    Problem,
    check,
    problems_between,
    with_examples,
)
from engine.evidence.records import Kind, empty
from engine.evidence.rollup_parts import Rolled, index_of, rated_calls
from engine.evidence.tally import ASKED, suspects, tallied, worst_of_all

LATE_S = 60.0
"""A file may be listed this long before the time stamp of its newest row."""
LONGEST_S = 3_600.0
"""An exposure is listed at most this long before its trace ends."""
THREADS = min(4, os.cpu_count() or 1)
"""Files in memory at once."""

Batches = tuple[int, int]
"""What one file holds: above the first number, up to the second."""


def problems_in_traces(
    root: Path, *, now: float, window_s: float = 3_600.0, limits: Limits = USUAL
) -> list[Problem]:
    """The problems of the last `window_s` seconds to the second, without roll-ups.

    It costs what the traces of two windows do, and holds a few files at a time.

    Raises:
        ConfigError: A limit is not above 0.
        StoreCorruptError: A file from the two windows is damaged; the message names it.
    """
    check(window_s=window_s, **vars(limits))
    with closing(Store(root)) as store, ThreadPoolExecutor(THREADS) as threads:
        return _Inspection(store, threads, now, window_s).problems(limits)


@dataclass(frozen=True, slots=True)
class _Told:
    """What one file's traces say of the window, and of the one before it."""

    newest: pl.DataFrame
    earlier: pl.DataFrame
    index: pl.DataFrame
    """Of the window's traces that somebody rated."""


class _Inspection:
    """A look at two windows of a store, which may grow meanwhile."""

    def __init__(
        self, store: Store, threads: ThreadPoolExecutor, now: float, window_s: float
    ) -> None:
        self._store, self._threads = store, threads
        self._now, self._window_s = now, window_s
        self._recent = pl.col("at") > now - window_s
        self._since = now - 2 * window_s - LATE_S
        self._upto = store.position()
        self._feedback = store.read("feedback", upto=self._upto, since=self._since, columns=_RATING)
        self._rated = self._feedback.select("trace_id").unique()
        asked = self._files("exposure", self._since - LONGEST_S)
        self._forced = list(chain.from_iterable(threads.map(self._forced_in, asked)))

    def problems(self, limits: Limits) -> list[Problem]:
        """The worst first, each with its examples."""
        files = self._files("trace", self._since)
        told = list(self._threads.map(self._told, files))
        newest = Rolled(
            sums=pl.concat(one.newest.with_columns(file=n) for n, one in enumerate(told)),
            index=pl.concat(one.index for one in told),
            feedback=self._feedback,
        )
        earlier = Rolled(
            sums=pl.concat(one.earlier for one in told),
            index=newest.index.clear(),
            feedback=self._feedback,
        )
        found = problems_between(newest, earlier, limits)
        if not found:
            return []
        calls = [rated_calls(newest), *self._worst(found, newest.sums, files)]
        return [with_examples(one, pl.concat(calls, how="diagonal")) for one in found]

    def _files(self, kind: Kind, since: float) -> list[Batches]:
        ends = self._store.batches(kind, after=0, upto=self._upto, since=since)
        # to the very end: a merge since then may have put several of these into one
        return list(pairwise([0, *ends, self._upto]))

    def _forced_in(self, file: Batches) -> list[str]:
        after, upto = file
        since = self._since - LONGEST_S
        seen = self._store.read(
            "exposure", after=after, upto=upto, since=since, columns=("trace_id", "forced")
        )
        return seen.filter("forced")["trace_id"].to_list()

    def _traces(self, file: Batches) -> pl.DataFrame:
        after, upto = file
        every = self._store.read("trace", after=after, upto=upto, since=self._since, columns=ASKED)
        begun = self._now - 2 * self._window_s
        seen = every.filter(pl.col("at") > begun, pl.col("at") <= self._now)
        return seen.filter(~pl.col("trace_id").is_in(self._forced)) if self._forced else seen

    def _told(self, file: Batches) -> _Told:
        traces = self._traces(file)
        newest = traces.filter(self._recent)
        return _Told(
            newest=tallied(newest),
            earlier=tallied(traces.filter(~self._recent)),
            index=index_of(newest.join(self._rated, on="trace_id", how="semi")),
        )

    def _worst(
        self, found: list[Problem], sums: pl.DataFrame, files: list[Batches]
    ) -> list[pl.DataFrame]:
        """The calls that may be examples, from the few files where they lie."""
        asked = {
            (WORST_BY[one.kind], (one.workflow, one.scope, one.name))
            for one in found
            if one.kind in WORST_BY
        }
        worst = [worst_of_all(sums, kind, place, EXAMPLES) for kind, place in sorted(asked)]
        lie = sorted({number for one in worst for number in one.files})

        def calls(number: int) -> pl.DataFrame:
            traces = self._traces(files[number]).filter(self._recent)
            few = suspects(traces, [one for one in worst if number in one.files])
            facts = Facts(empty("exposure"), few, empty("feedback"))
            return calls_of(facts, after=self._now - self._window_s, upto=self._now)

        return list(self._threads.map(calls, lie))


_RATING = ("trace_id", "at", "metric", "score")
