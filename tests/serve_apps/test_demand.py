"""Laws of demand: a slot has what its share asks for and what its load takes, and no more."""

from hypothesis import given
from hypothesis import strategies as st

from engine.config.workflow import Deploy
from serve_apps.demand import Demand, raised
from serve_apps.seating import Seat

KEY = ("docs", "a")
loads = st.floats(0.0, 5_000.0)
deploys = st.builds(
    Deploy,
    slot_replicas=st.integers(1, 8),
    most_replicas=st.none() | st.integers(1, 8),
    target_in_flight=st.integers(1, 500),
)
seats = st.builds(Seat, st.just("docs"), st.just("a"), st.integers(1, 8))
looks = st.lists(st.tuples(st.floats(0.0, 30.0), loads), min_size=1, max_size=20)


def most(deploy):
    return deploy.most_replicas or deploy.slot_replicas


@given(seats, loads, deploys)
def test_no_load_takes_away_what_a_share_asks_for(seat, in_flight, deploy):
    assert raised(seat, in_flight, deploy).replicas >= seat.replicas


@given(seats, loads, deploys)
def test_no_load_raises_a_slot_above_the_most_that_it_may_have(seat, in_flight, deploy):
    assert raised(seat, in_flight, deploy).replicas <= max(seat.replicas, most(deploy))


@given(seats, loads, deploys)
def test_every_replica_has_at_most_its_target_unless_there_may_be_no_more(seat, in_flight, deploy):
    replicas = raised(seat, in_flight, deploy).replicas

    assert in_flight <= replicas * deploy.target_in_flight or replicas >= most(deploy)


@given(seats, loads, loads, deploys)
def test_more_load_never_means_fewer_replicas(seat, one, other, deploy):
    few, many = sorted((one, other))

    assert raised(seat, few, deploy).replicas <= raised(seat, many, deploy).replicas


@given(seats, deploys)
def test_without_a_load_the_share_decides(seat, deploy):
    assert raised(seat, 0.0, deploy) == seat


@given(looks, st.floats(0.1, 100.0))
def test_the_most_of_a_while_decides_and_nothing_before_it(steps, while_s):
    demand, now, seen = Demand(), 1_000.0, []

    for passed_s, in_flight in steps:
        now += passed_s
        demand.saw(KEY, in_flight, now)
        seen.append((now, in_flight))

        expected = max(load for at, load in seen if at >= now - while_s)
        assert demand.most(KEY, now - while_s) == expected


def test_what_one_variant_has_in_flight_is_no_other_ones():
    demand = Demand()
    demand.saw(KEY, 9.0, 1.0)

    assert demand.most(("mail", "a"), 0.0) == demand.most(("docs", "b"), 0.0) == 0.0


@given(loads, st.floats(0.1, 100.0))
def test_after_a_calm_while_nothing_is_left(in_flight, while_s):
    demand = Demand()
    demand.saw(KEY, in_flight, 0.0)

    assert demand.most(KEY, 0.001) == 0.0
    assert demand._looks == {}
