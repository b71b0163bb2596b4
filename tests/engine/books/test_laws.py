"""Whatever happens in whatever order, an acknowledged fact is in the store exactly once."""

import os
import shutil
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.books.compactor import Compactor
from engine.books.feedback import FeedbackBook
from engine.books.merging import merge
from engine.books.points import POINTS
from engine.books.rollups import Rollups
from engine.books.store import Store
from tests.engine.books.examples import rolled_up
from tests.engine.books.facts import exposure, score, spool_in, trace

EXAMPLES = int(os.environ.get("TRIMTAB_CRASH_EXAMPLES", "200"))
"""How many lives of a workspace are tried; more by night."""
# a death forgets no page that was written, so a disk would only make this slow
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
KINDS = (("exposure", exposure), ("trace", trace))

writers = st.sampled_from(["a", "b"])
commits = st.sampled_from([None, None, "before commit", "after commit"])
shippings = st.sampled_from([*[None] * 8, *POINTS[2:]])


class Died(BaseException):
    """The process ended here."""


class Workspace(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.root = Path(tempfile.mkdtemp(dir=MEMORY))
        self.point = None
        self.spools = {}
        self.lives = Counter()
        self.count = 0
        self.acknowledged = []
        self.unheard = []
        self.scores = {}
        self.unheard_scores = {}
        self.seen = {}
        self.compactor = None
        self.store = Store(self.root)
        self.book = FeedbackBook(self.root / "feedback.db", passing=self.passing)

    def passing(self, point):
        if point == self.point:
            self.point = None
            raise Died

    @rule(writer=writers, rows=st.integers(1, 3), point=commits)
    def write(self, writer, rows, point):
        names = [f"{self.count + place}" for place in range(rows)]
        self.count += rows
        self.point = point
        try:
            rows = [(kind, told(name)) for name in names for kind, told in KINDS]
            self.spool(writer).write(rows)
            self.acknowledged += names
        except Died:
            self.end(writer)
            if point == "after commit":
                self.unheard += names
        self.point = None

    @rule(key=st.sampled_from("abcd"), value=st.sampled_from([0.0, 0.5]), point=commits)
    def give(self, key, value, point):
        self.point = point
        first = self.scores.get(key, self.unheard_scores.get(key))
        try:
            outcome = self.book.record([score(key, value)])[0]
        except Died:
            if point == "after commit" and first is None:
                self.unheard_scores[key] = value
        else:
            expected = "duplicate" if first == value else "conflict"
            assert outcome == ("stored" if first is None else expected)
            if outcome == "stored":
                self.scores[key] = value
        self.point = None

    @rule(point=shippings, at=st.floats(0, 1e6))
    def compact(self, point, at):
        self.attempt(point, lambda compactor: compactor.step(at))

    @rule(writer=writers, batches=st.integers(2, 4))
    def write_and_compact(self, writer, batches):
        for _ in range(batches):
            self.write(writer, 1, None)
            self.compact(None, 1.0)

    @rule(point=shippings, at=st.floats(0, 1e6))
    def merge(self, point, at):
        merged = self.attempt(
            point, lambda compactor: merge(compactor, "exposure", at, least_files=2)
        )
        event(f"merged {merged > 0}")

    @rule(grace_s=st.sampled_from([-1.0, 1e9]))
    def sweep(self, grace_s):
        self.attempt(None, lambda compactor: compactor.sweep(1e6, grace_s=grace_s))

    @rule(writer=writers)
    def end(self, writer):
        """The writer dies; the next one of its name is another process with another spool."""
        if writer in self.spools:
            self.spools.pop(writer).close()
            self.lives[writer] += 1

    @rule()
    def lose_the_roll_ups(self):
        with closing(Rollups(self.root)) as rollups:
            rollups.clear()

    @rule()
    def restart_compactor(self):
        if self.compactor is not None:
            self.compactor.close()
            self.compactor = None

    @invariant()
    def a_span_once_read_is_read_again(self):
        if not hasattr(self, "store"):
            return
        position = self.store.position()
        self.seen.setdefault(position, self.rows(position))
        positions = sorted(self.seen)
        for upto in {positions[0], positions[len(positions) // 2], position}:
            assert self.rows(upto) == self.seen[upto]

    def teardown(self):
        if not hasattr(self, "store"):
            return
        for writer in list(self.spools):
            self.end(writer)
        while self.attempt(None, lambda compactor: compactor.step(1.0)):
            pass
        stored = Counter(self.store.read("exposure")["trace_id"])
        traced = Counter(self.store.read("trace")["trace_id"])
        given = self.store.read("feedback")
        assert stored == traced == Counter(self.acknowledged + self.unheard)
        assert rolled_up(self.root) == traced.total()
        assert sorted(given["key"]) == sorted({**self.scores, **self.unheard_scores})
        assert dict(zip(given["key"], given["score"], strict=True)) == (
            self.unheard_scores | self.scores
        )
        assert self.store.check() == []
        assert list((self.root / "spools").glob("*")) == []
        self.restart_compactor()
        self.book.close()
        self.store.close()
        shutil.rmtree(self.root)

    def attempt(self, point, act):
        if self.compactor is None:
            self.compactor = Compactor(self.root, rows_per_file=2, passing=self.passing)
        self.point = point
        try:
            count = act(self.compactor)
        except Died:
            # the kernel releases what a dead process held
            self.restart_compactor()
            count = 0
        self.point = None
        return count

    def spool(self, writer):
        if writer not in self.spools:
            name = f"{writer}{self.lives[writer]}"
            self.spools[writer] = spool_in(self.root, name, passing=self.passing)
        return self.spools[writer]

    def rows(self, upto):
        return self.store.read("exposure", upto=upto, columns=["trace_id"]).rows()


TestAnAcknowledgedFactIsStoredExactlyOnce = Workspace.TestCase
TestAnAcknowledgedFactIsStoredExactlyOnce.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
