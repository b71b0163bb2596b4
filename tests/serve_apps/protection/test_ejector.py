import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.protection import Ejection
from serve_apps.protection.ejector import Ejector

MANY = frozenset({"base", *(f"v{number}" for number in range(19))})


def ejector(variants=MANY, **settings):
    one = Ejector(Ejection(**settings))
    one.seated("base", frozenset(variants), 0.0)
    return one


def fails(one, variant, times, at=1.0):
    for _ in range(times):
        one.saw(variant, at, ok=False)


def test_failures_in_a_row_eject_at_once():
    one = ejector()

    fails(one, "v1", 4)
    before = one.out(1.0)
    fails(one, "v1", 1)

    assert (before, one.out(1.0)) == (frozenset(), {"v1"})


def test_a_success_ends_the_row():
    one = ejector()

    fails(one, "v1", 4)
    one.saw("v1", 1.0, ok=True)
    fails(one, "v1", 4)

    assert one.out(1.0) == frozenset()


def test_an_ejection_is_told_once_with_its_end_and_its_reason():
    one = ejector()

    fails(one, "v1", 9)
    told = one.news()

    assert [(news.what, news.variant, news.until) for news in told] == [("ejected", "v1", 31.0)]
    assert "5 failures in a row" in told[0].why
    assert one.news() == ()


def test_every_further_ejection_lasts_longer_up_to_the_most():
    one = ejector()
    lasted, at = [], 1.0

    for _ in range(12):
        fails(one, "v1", 5, at)
        (ejected,) = [news for news in one.news() if news.what == "ejected"]
        lasted.append(ejected.until - at)
        at = ejected.until

    assert lasted == pytest.approx([min(30.0 * times, 300.0) for times in range(1, 13)])


def test_healthy_intervals_wear_the_length_off():
    one = ejector()
    fails(one, "v1", 5, at=1.0)

    for at in (32.0, 45.0, 58.0):
        one.saw("v1", at, ok=True)
    fails(one, "v1", 5, at=59.0)

    assert one.news()[-1].until == 59.0 + 30.0


def test_one_may_be_ejected_however_few_there_are():
    one = ejector({"base", "v1"})

    fails(one, "v1", 5)

    assert one.out(1.0) == {"v1"}
    assert [news.what for news in one.news()] == ["ejected"]


def test_a_variant_far_under_the_others_rate_is_ejected_at_the_interval():
    one = ejector()

    for name in sorted(MANY):
        for number in range(100):
            one.saw(name, 1.0, ok=name != "v1" or number % 2 == 0)
    before = one.out(10.5)

    assert (before, one.out(11.5)) == (frozenset(), {"v1"})


@pytest.mark.parametrize("requests", [99, 100])
def test_a_rate_of_few_requests_says_nothing(requests):
    one = ejector()

    for name in sorted(MANY):
        for number in range(requests):
            one.saw(name, 1.0, ok=name != "v1" or number % 2 == 0)
    one.out(10.5)

    assert one.out(11.5) == (frozenset() if requests < 100 else {"v1"})


def test_rates_of_few_variants_are_not_compared():
    one = ejector({"base", "v1", "v2", "v3"})

    for name in ("base", "v1", "v2", "v3"):
        for number in range(200):
            one.saw(name, 1.0, ok=name != "v1" or number % 2 == 0)

    assert one.out(10.5) == one.out(11.5) == frozenset()


def test_with_most_of_them_out_the_baseline_serves_all():
    one = ejector({"base", "v1", "v2", "v3"}, max_ejection_percent=100)

    fails(one, "v1", 5)
    fails(one, "v2", 5)
    half = one.out(1.0)
    fails(one, "v3", 5)

    assert half == {"v1", "v2"}
    assert one.out(1.0) == {"v1", "v2", "v3"}
    assert one.news()[-1].what == "panic"


def test_panic_ends_as_variants_return():
    one = ejector({"base", "v1", "v2", "v3"}, max_ejection_percent=75, panic_percent=50)
    fails(one, "v1", 5, at=1.0)
    fails(one, "v2", 5, at=2.0)
    fails(one, "v3", 5, at=3.0)

    assert one.out(30.9) == {"v1", "v2", "v3"}
    assert one.out(31.5) == {"v2", "v3"}
    assert [news.what for news in one.news()][-3:] == ["panic", "returned", "calm"]


def test_in_panic_nothing_is_learnt_about_single_variants():
    one = ejector({"base", "v1", "v2", "v3", "v4"}, max_ejection_percent=100, panic_percent=20)
    fails(one, "v1", 5, at=1.0)
    fails(one, "v2", 5, at=1.0)

    fails(one, "v3", 50, at=2.0)

    assert one.out(31.5) == frozenset()


def test_the_new_baseline_is_back_at_once():
    one = ejector()
    fails(one, "v1", 5)

    one.seated("v1", MANY, 2.0)

    assert one.out(2.0) == frozenset()


def test_a_variant_that_left_is_forgotten():
    one = ejector()
    fails(one, "v1", 5)

    one.seated("base", MANY - {"v1"}, 2.0)
    one.saw("v1", 2.0, ok=False)

    assert one.out(2.0) == frozenset()


def test_switched_off_it_ejects_nobody():
    one = ejector(enabled=False)

    fails(one, "v1", 500)

    assert one.out(1.0) == frozenset()


seen = st.lists(
    st.tuples(st.sampled_from(sorted(MANY)[:6]), st.booleans(), st.floats(0.0, 8.0)),
    max_size=200,
)


@given(seen, st.integers(0, 100), st.integers(0, 100))
def test_the_baseline_is_never_out(answers, percent, panic):
    one = ejector(
        sorted(MANY)[:6], max_ejection_percent=percent, panic_percent=panic, consecutive_5xx=2
    )
    at = 0.0

    for variant, ok, later in answers:
        at += later
        one.saw(variant, at, ok=ok)
        assert "base" not in one.out(at)


@given(seen, st.integers(0, 100))
def test_no_more_than_the_percent_are_out(answers, percent):
    one = ejector(
        sorted(MANY)[:6], max_ejection_percent=percent, panic_percent=100, consecutive_5xx=2
    )
    at = 0.0

    for variant, ok, later in answers:
        at += later
        one.saw(variant, at, ok=ok)
        assert len(one.out(at)) <= max(6 * percent // 100, 1)


@given(seen)
def test_every_ejected_variant_returns_when_its_time_is_over(answers):
    one = ejector(sorted(MANY)[:6], max_ejection_percent=100, consecutive_5xx=2)
    at = 0.0

    for variant, ok, later in answers:
        at += later
        one.saw(variant, at, ok=ok)

    assert one.out(at + 300.0) == frozenset()
    gone = [news.variant for news in one.news() if news.what == "ejected"]
    assert all(until is None for until in [one._records[name].until for name in gone])


@given(seen)
def test_it_is_out_until_its_time_and_no_longer(answers):
    one = ejector(sorted(MANY)[:6], panic_percent=100, consecutive_5xx=2)
    at = 0.0
    ends = {}

    for variant, ok, later in answers:
        at += later
        one.saw(variant, at, ok=ok)
        ends |= {news.variant: news.until for news in one.news() if news.what == "ejected"}
        assert one.out(at) == {name for name, until in ends.items() if until > at}
