"""Laws of leases: they begin when a window is seen, lapse by the clock, and never rise again."""

from serve_apps.leases import Leases
from tests.engine.experiment.examples import BERT, KEPT, NOON, TRIED, closed, opened, then, told


def granted(state, now, leases=None):
    leases = leases or Leases()
    leases.grant(state, now)
    return leases


def test_a_lease_begins_when_its_window_is_first_seen():
    leases = granted(told(*TRIED), NOON + 5.0)

    again = granted(told(*TRIED), NOON + 9.0, leases)

    assert again.lapses_at == {"w1": NOON + 15.0}


def test_a_renewed_lease_lasts_its_own_length_again():
    state = told(*TRIED)
    leases = granted(state, NOON)

    lapses_at = leases.renew(state.window("w1"), NOON + 7.0)

    assert lapses_at == NOON + 17.0
    assert granted(state, NOON + 8.0, leases).lapses_at == {"w1": NOON + 17.0}


def test_a_lapsed_lease_stays_lapsed_after_its_window_closed():
    state = told(*TRIED)
    leases = granted(state, NOON - 20.0)

    leases.grant(then(state, closed()), NOON + 1.0)

    assert leases.lapses_at == {"w1": NOON - 10.0}


def test_a_lease_that_held_until_its_window_closed_is_forgotten():
    state = told(*TRIED)
    leases = granted(state, NOON)

    leases.grant(then(state, closed()), NOON + 1.0)

    assert leases.lapses_at == {}


def test_a_holdback_carries_no_lease():
    assert granted(told(*KEPT), NOON).lapses_at == {}


def test_only_the_leases_that_were_asked_for_are_told():
    leases = granted(told(*TRIED, opened("w2", BERT)), NOON)

    assert leases.of({"w2", "w9"}) == {"w2": NOON + 10.0}
