import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.protection import Rate, Rates
from serve_apps.protection.counts import LocalCounts
from serve_apps.protection.rates import RateLimits, rate_limits

SECRET = b"secret"


def limits(*rates, anonymous=(), gateways=1, **settings):
    given = Rates(
        each_key=tuple(Rate(measure=what, at_most=most, per=per) for what, most, per in rates),
        anonymous=tuple(Rate(measure=what, at_most=most, per=per) for what, most, per in anonymous),
        **settings,
    )
    return rate_limits(given, SECRET, gateways)


async def admitted(one, key, times, workflow="qa"):
    return sum([await one.admit(key, workflow) is None for _ in range(times)])


async def test_a_key_has_its_requests_and_no_more():
    one = limits(("requests", 3, "hour"))

    assert await admitted(one, "a", 5) == 3


async def test_a_flood_of_one_key_leaves_the_others_alone():
    one = limits(("requests", 3, "hour"))

    await admitted(one, "flood", 150)

    assert await admitted(one, "calm", 3) == 3


async def test_without_limits_nobody_is_refused():
    one = limits()

    assert await admitted(one, "a", 100) == 100
    assert await one.headers("a", "qa") == {}


async def test_a_refusal_says_which_limit_and_when_to_come_back():
    one = limits(("requests", 2, "minute"), ("requests", 1_000, "day"))
    await admitted(one, "a", 2)

    limited = await one.admit("a", "qa")

    assert (limited.which, limited.limit, limited.remaining) == ("requests per minute", 2.0, 0.0)
    assert 0.0 < limited.retry_after_s <= 60.0


async def test_refused_requests_use_up_no_longer_limit():
    one = limits(("requests", 2, "minute"), ("requests", 10, "day"))

    await admitted(one, "a", 50)

    daily = one._each_key[1].item
    assert (await one._counts.hits_left(daily, f"qa:{one._named('a')}")).remaining == 8


async def test_the_answer_that_crosses_a_limit_is_given_and_the_next_one_refused():
    one = limits(("tokens", 100, "hour"))

    first = await one.admit("a", "qa")
    await one.charge("a", "qa", tokens=5_000, cost_usd=0.0)
    second = await one.admit("a", "qa")

    assert first is None
    assert (second.measure, second.remaining) == ("tokens", 0.0)


async def test_money_is_counted_to_the_millionth():
    one = limits(("cost_usd", 0.01, "day"))

    for _ in range(9):
        await one.charge("a", "qa", tokens=10, cost_usd=0.0011)
    before = await one.admit("a", "qa")
    headers = await one.headers("a", "qa")
    await one.charge("a", "qa", tokens=10, cost_usd=0.0001)

    assert before is None
    assert headers["x-ratelimit-remaining-cost-usd"] == "0.0001"
    assert (await one.admit("a", "qa")).which == "cost_usd per day"


async def test_clients_without_a_key_share_a_bucket_by_workflow():
    one = limits(("requests", 100, "hour"), anonymous=[("requests", 3, "hour")])

    assert await admitted(one, "", 5) == 3
    assert await admitted(one, "", 5, workflow="other") == 3
    assert await admitted(one, "a", 5) == 5


async def test_what_a_key_has_of_one_workflow_takes_nothing_from_another():
    one = limits(("requests", 3, "hour"))

    assert await admitted(one, "a", 5) == 3
    assert await admitted(one, "a", 5, workflow="other") == 3


async def test_a_limit_in_memory_is_divided_among_the_gateways():
    gateways = [limits(("requests", 12, "hour"), gateways=3) for _ in range(3)]

    assert [await admitted(one, "a", 12) for one in gateways] == [4, 4, 4]


async def test_made_up_keys_fill_no_memory():
    one = limits(("requests", 5, "hour"), most_keys=10)

    admitted_each = [await admitted(one, f"key-{number}", 1) for number in range(100)]

    assert sum(admitted_each) == 10 + 5
    assert len(one._known) == 10


async def test_no_key_is_kept_as_it_came():
    counts = LocalCounts()
    rates = Rates(each_key=(Rate(measure="requests", at_most=5, per="hour"),))

    await RateLimits(rates, counts, SECRET).admit("sk-very-secret", "qa")

    kept = " ".join(counts._sliding.storage.storage)
    assert kept
    assert "sk-very-secret" not in kept


async def test_headers_have_the_names_that_openai_gives_them():
    one = limits(("requests", 10, "minute"), ("tokens", 1_000, "hour"))
    await one.admit("a", "qa")
    await one.charge("a", "qa", tokens=400, cost_usd=0.0)

    headers = await one.headers("a", "qa")

    assert headers["x-ratelimit-limit-requests"] == "10"
    assert headers["x-ratelimit-remaining-requests"] == "9"
    assert headers["x-ratelimit-limit-tokens"] == "1000"
    assert headers["x-ratelimit-remaining-tokens"] == "600"
    assert headers["x-ratelimit-reset-tokens"] in ("1h0m0s", "59m59s")


async def test_a_refusal_is_a_429_with_retry_after():
    one = limits(("requests", 1, "minute"))
    await one.admit("a", "qa")

    refused = (await one.admit("a", "qa")).error()

    assert (refused.status, refused.code) == (429, "rate_limit_exceeded")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"


@given(st.integers(1, 20), st.lists(st.sampled_from("abc"), max_size=80))
async def test_no_key_has_more_than_its_limit(most, keys):
    one = limits(("requests", most, "day"))
    had = dict.fromkeys("abc", 0)

    for key in keys:
        had[key] += await one.admit(key, "qa") is None

    assert had == {key: min(keys.count(key), most) for key in "abc"}


@pytest.mark.parametrize("store", ["file:///x", "redis:", ""])
def test_a_store_is_memory_or_a_redis(store):
    with pytest.raises(ValueError, match="store"):
        Rates(store=store)
