from hypothesis import given, settings
from hypothesis import strategies as st

from engine.books.catalogue import Catalogue
from engine.books.compactor import Compactor
from engine.books.ledger import Ledger
from engine.books.store import Store
from engine.experiment.fold import fold
from tests.engine.books.facts import exposure, spool_in
from tests.engine.experiment.examples import Line, closed, installed, lines, opened, started

HOUR_S = 3_600.0
NOON = 1_700_049_600.0
jumps = st.lists(st.sampled_from([0.0, 1.0, HOUR_S, -HOUR_S, -1.0]), min_size=3, max_size=8)


@given(jumps)
@settings(max_examples=15, deadline=None)
def test_a_clock_that_jumps_loses_and_doubles_nothing(tmp_path_factory, jumped):
    root, now, written = tmp_path_factory.mktemp("clock"), NOON, []
    spool, compactor = spool_in(root, "writer"), Compactor(root)

    for number, jump in enumerate(jumped):
        now += jump
        written.append(f"{number}")
        spool.write([("exposure", exposure(f"{number}") | {"at": now})])
        compactor.step(now)

    assert Store(root).read("exposure")["trace_id"].to_list() == written
    spool.close()


def test_what_was_settled_stays_settled(tmp_path):
    catalogue = Catalogue(tmp_path / "catalogue.db")

    catalogue.settle(NOON)
    catalogue.settle(NOON - HOUR_S)

    assert catalogue.settled_at() == NOON


def test_decisions_follow_their_numbers_and_not_their_times(tmp_path):
    told = lines(installed(), started(), opened(), closed())
    backwards = [Line(one.seq, one.kind, one.body, NOON - HOUR_S * one.seq) for one in told]
    ledger = Ledger(str(tmp_path / "ledger.db"))
    for one in backwards:
        ledger.append(one.kind, one.body, expected=one.seq - 1, at=one.at, actor="a")

    state = fold(ledger.read())

    assert ledger.check_chain() == len(told)
    assert state.workflows["docs"].splits == fold(told).workflows["docs"].splits
    ledger.close()
