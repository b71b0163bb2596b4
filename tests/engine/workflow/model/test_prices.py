from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.source import parse
from engine.errors import ConfigError
from engine.workflow.model.prices import Price, PriceList, Profile, read_prices, today

LISTED = Path(__file__).parents[4] / "configs" / "prices.yaml"
days = st.dates(date(2020, 1, 1), date(2030, 1, 1))


def test_the_list_that_comes_along_is_whole():
    prices = read_prices(LISTED)

    assert len(prices.models) >= 12
    assert {profile.tier for profile in prices.models.values()} == {"cheap", "usual", "strong"}
    assert prices.price("embedded-reader", today()).cost_usd(1_000, 0, 1_000) == 0.0
    assert all(profile.price(today()) for profile in prices.models.values())


def test_an_old_call_keeps_its_old_price():
    prices = read_prices(LISTED)

    assert prices.price("gpt-4o", date(2024, 10, 1)).input_usd == 5.0
    assert prices.price("gpt-4o", date(2024, 10, 2)).input_usd == 2.5
    assert prices.price("gpt-4o", date(2024, 5, 12)) is None


def test_a_model_that_is_not_listed_has_no_price():
    assert PriceList().price("a-model", today()) is None


@given(st.sets(days, min_size=1), days)
def test_the_newest_price_that_is_not_later_holds(since, on):
    prices = tuple(Price(since=day, input_usd=1.0, output_usd=1.0) for day in sorted(since))

    price = Profile(tier="usual", prices=prices).price(on)

    held = {day for day in since if day <= on}
    assert (price.since if price else None) == max(held, default=None)


amounts = st.integers(0, 10**7)


@given(amounts, amounts, amounts, st.floats(0.0, 100.0), st.floats(0.0, 100.0))
def test_caching_never_makes_a_call_dearer(fresh, cached, wrote, input_usd, share):
    cached_usd = input_usd * share / 100.0
    price = Price(since=today(), input_usd=input_usd, cached_usd=cached_usd, output_usd=1.0)

    with_cache = price.cost_usd(fresh + cached, cached, wrote)

    assert 0.0 <= with_cache <= price.cost_usd(fresh + cached, 0, wrote) * (1 + 1e-9) + 1e-9


def written(*since):
    prices = "".join(f"\n      - {{since: {day}, input_usd: 1.0, output_usd: 1}}" for day in since)
    return f"models:\n  m:\n    tier: usual\n    prices:{prices}\n"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (written("2024-01-01", "2023-01-01"), "prices.yaml:5:7: "),
        (written("2024-01-01", "2024-01-01"), "prices.yaml:5:7: "),
        (written("yesterday"), "prices.yaml:5:17: "),
        (written("2024-01-01").replace("usual", "dear"), "prices.yaml:3:11: "),
        (written("2024-01-01").replace("1.0", "-1.0"), "prices.yaml:5:40: "),
        (written("2024-01-01").replace("tier", "teir"), "prices.yaml:2:3: "),
    ],
)
def test_a_mistake_is_shown_where_it_is(text, place):
    with pytest.raises(ConfigError) as caught:
        parse(text, "prices.yaml").into(PriceList)

    assert str(caught.value).startswith(place)


def test_the_present_day_is_a_day_of_utc():
    assert abs(today() - date.today()) <= timedelta(days=1)  # noqa: DTZ011
