"""What the books say in hindsight is what their facts say."""

import json
from contextlib import closing

import pytest

from engine.books.compactor import Compactor
from engine.books.feedback import FeedbackBook
from engine.books.hindsight import problems_of
from engine.books.store import Store
from engine.errors import ConfigError
from engine.evidence.facts import Facts
from engine.evidence.observe import Limits, observe
from tests.engine.books.facts import exposure, score, spool_in, trace

NOW = 1_000 * 60.0
FEW = Limits(min_calls=5)


@pytest.fixture
def root(tmp_path):
    """Slow and badly rated requests in several files, the newest in a roll-up of nobody yet."""
    spool = spool_in(tmp_path)
    with closing(Compactor(tmp_path)) as compactor, closing(spool):
        with closing(FeedbackBook(tmp_path / "feedback.db")) as book:
            for number in range(30):
                name, at = f"t{number}", NOW - 100.0 * number
                span = {"node": "answer", "duration_s": 9.0 + number, "status": "timeout"}
                took = {"duration_s": 9.5 + number, "spans": json.dumps([span])}
                ran = {"workflow": "docs", "variant": "v"} | took
                forced = exposure(name, at) | {"forced": number % 10 == 0}
                spool.write([("exposure", forced), ("trace", trace(name, at) | ran)])
                book.record([score(f"k{number}", 0.1, at=NOW, trace_id=name)])
                if number % 7 == 6:
                    compactor.step(NOW)
        compactor.step(NOW)
    return tmp_path


def test_the_books_name_what_their_facts_name(root):
    with closing(Store(root)) as store:
        facts = Facts(store.read("exposure"), store.read("trace"), store.read("feedback"))

    told = problems_of(root, now=NOW, limits=FEW)

    named = observe(facts, now=NOW, min_calls=5)
    assert told
    assert [vars(one) | {"figure": None, "severity": 0} for one in told] == [
        vars(one) | {"figure": None, "severity": 0} for one in named
    ]
    for one, other in zip(told, named, strict=True):
        assert one.figure.estimate == pytest.approx(other.figure.estimate)


def test_a_quiet_hour_has_no_problem(root):
    assert problems_of(root, now=NOW + 20_000.0, limits=FEW) == []


def test_a_limit_of_nothing_is_refused(root):
    with pytest.raises(ConfigError, match="window_s"):
        problems_of(root, now=NOW, window_s=0.0)
