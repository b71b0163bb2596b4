"""A look at the traces themselves names what all of them in memory name, to the second."""

import json
import sqlite3
import tempfile
from contextlib import closing
from math import isclose
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.books.compactor import Compactor
from engine.books.feedback import FeedbackBook
from engine.books.inspection import problems_in_traces
from engine.books.merging import merge
from engine.books.parquet import digest_of
from engine.books.store import Store
from engine.errors import ConfigError, StoreCorruptError
from engine.evidence.facts import Facts
from engine.evidence.observe import Limits, observe
from engine.evidence.timeline import TIMELINE
from tests.engine.books.facts import exposure, score, spool_in, trace

NOW = 100_000.0
WINDOW_S = 1_000.0
FEW = Limits(min_calls=3, slow_mean_s=1.0)

statuses = st.sampled_from(["ok", "ok", "ok", "error", "timeout"])
spans = st.lists(
    st.fixed_dictionaries(
        {
            "node": st.sampled_from(["plan", "answer"]),
            "duration_s": st.sampled_from([0.0, 0.25, 2.0, 8.0]),
        },
        optional={"status": statuses, "input_tokens": st.integers(0, 9)},
    ),
    max_size=3,
)
rows = st.lists(
    st.tuples(
        st.fixed_dictionaries(
            {
                # at the very ends of both windows too
                "at": st.integers(0, 23).map(lambda n: NOW + 100.0 - 100.0 * n),
                "status": statuses,
                "duration_s": st.none() | st.sampled_from([0.0, 0.5, 1.0, 4.0]),
                "variant": st.sampled_from(["v1", "v2"]),
                "segment": st.sampled_from(["", "how-to", "chat"]),
                "cost_usd": st.none() | st.sampled_from([0.0, 0.25, 2.0]),
                "spans": st.none() | st.just("") | spans.map(json.dumps),
            }
        ),
        st.booleans(),
        st.none() | st.sampled_from([0.0, 0.5, 1.0]),
    ),
    max_size=40,
)


def live(root, rows, *, per_step):
    """Serve, rate and ship these requests, some at a time, and merge what lies there half way."""
    book, spool, compactor = FeedbackBook(root / "feedback.db"), spool_in(root), Compactor(root)
    for first in range(0, len(rows), per_step):
        for number, (row, forced, rating) in enumerate(rows[first : first + per_step], first):
            name = f"t{number}"
            spool.write(
                [
                    ("exposure", exposure(name) | {"forced": forced}),
                    ("trace", trace(name) | {"workflow": "docs"} | row),
                ]
            )
            if rating is not None:
                book.record([score(f"k{number}", rating, trace_id=name, at=NOW + number)])
        compactor.step(NOW)
        if first <= len(rows) // 2:
            for kind in ("exposure", "trace", "feedback"):
                merge(compactor, kind, NOW, least_files=2)
    for one in (book, spool, compactor):
        one.close()


def in_memory(root):
    with closing(Store(root)) as store:
        facts = Facts(*(store.read(kind) for kind in ("exposure", "trace", "feedback")))
    return observe(facts, now=NOW, window_s=WINDOW_S, min_calls=3, slow_mean_s=1.0)


def place(problem):
    return problem.kind, problem.scope, problem.name


def figures(problem):
    figure = problem.figure
    return figure.low, figure.estimate, figure.high, problem.limit, problem.severity


@given(rows, st.integers(1, 15))
@settings(max_examples=25, deadline=None)
def test_file_by_file_the_problems_are_those_of_all_traces_at_once(rows, per_step):
    with tempfile.TemporaryDirectory() as folder:
        live(Path(folder), rows, per_step=per_step)

        found = problems_in_traces(Path(folder), now=NOW, window_s=WINDOW_S, limits=FEW)

        told = {place(one): one for one in in_memory(Path(folder))}
    assert {place(one) for one in found} == told.keys()
    for one in found:
        other = told[place(one)]
        assert one.calls == other.calls
        # an unmeasured cost is no example of a high one
        assert 0 < len(one.trace_ids) <= len(other.trace_ids)
        for ours, theirs in zip(figures(one), figures(other), strict=True):
            assert isclose(ours, theirs, rel_tol=1e-6, abs_tol=1e-9)


def test_the_worst_examples_come_from_whatever_file_has_them(tmp_path):
    slow = [({"at": NOW, "duration_s": 2.0 + n % 7}, False, None) for n in range(60)]
    live(tmp_path, slow, per_step=5)

    problems = problems_in_traces(tmp_path, now=NOW, window_s=WINDOW_S, limits=FEW)

    (whole,) = (one for one in problems if place(one) == ("slow", "workflow", "docs"))
    assert {int(name[1:]) % 7 for name in whole.trace_ids} == {6}
    assert len(set(whole.trace_ids)) == 3


def test_an_empty_store_has_no_problem(tmp_path):
    live(tmp_path, [], per_step=1)

    assert problems_in_traces(tmp_path, now=NOW) == []


def test_a_limit_of_nothing_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="window_s"):
        problems_in_traces(tmp_path, now=NOW, window_s=0.0)


def test_a_damaged_file_of_the_window_is_named_and_an_older_one_is_not_read(tmp_path):
    live(tmp_path, [({"at": NOW}, False, None)], per_step=1)
    (file,) = (tmp_path / "parquet" / "trace").iterdir()
    file.write_bytes(b"")

    with pytest.raises(StoreCorruptError, match=file.name):
        problems_in_traces(tmp_path, now=NOW, window_s=WINDOW_S)

    assert problems_in_traces(tmp_path, now=NOW * 2, window_s=WINDOW_S) == []


def test_files_from_before_traces_had_a_timeline_are_read_and_merged(tmp_path):
    spans = json.dumps([{"node": "answer", "duration_s": 8.0, "status": "timeout"}])
    served = [({"at": NOW, "spans": spans}, False, None)] * 6
    live(tmp_path, served, per_step=6)
    age(tmp_path)

    before = problems_in_traces(tmp_path, now=NOW, window_s=WINDOW_S, limits=FEW)
    live(tmp_path, served, per_step=6)
    after = problems_in_traces(tmp_path, now=NOW, window_s=WINDOW_S, limits=FEW)

    assert [place(one) for one in after] == [place(one) for one in before]
    assert {one.calls for one in before} == {6}
    assert {one.calls for one in after} == {12}
    with closing(Store(tmp_path)) as store:
        assert len(store.batches("trace", after=0, upto=store.position())) == 1


def age(root):
    """Write a store's only file of traces as it was written before."""
    (path,) = (root / "parquet" / "trace").iterdir()
    old = pq.read_table(path).drop_columns([TIMELINE])
    pq.write_table(old, path, compression="zstd")
    with closing(sqlite3.connect(root / "catalogue.db")) as catalogue:
        digest = digest_of(path.read_bytes())
        catalogue.execute("UPDATE files SET digest = ? WHERE kind = 'trace'", (digest,))
        catalogue.commit()
