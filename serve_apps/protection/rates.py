"""What every API key may have in a time: requests, tokens and money."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerHour, RateLimitItemPerMinute

from engine.config.protection import Rate, Rates
from serve_apps.protection.counts import Counts, Left, LocalCounts, SharedCounts
from serve_apps.protection.refusal import RefusedError, too_many

PERIODS: Mapping[str, type[RateLimitItem]] = {
    "minute": RateLimitItemPerMinute,
    "hour": RateLimitItemPerHour,
    "day": RateLimitItemPerDay,
}
DAY_S = 86_400.0
# Money is counted in whole millionths, since counts are whole numbers everywhere.
MICRO = 1_000_000
OTHERS = "others"


@dataclass(frozen=True)
class Limited:
    """The limit that a key ran into."""

    which: str
    """As an operator reads it: `requests per minute`."""
    measure: str
    limit: float
    remaining: float
    retry_after_s: float

    def error(self) -> RefusedError:
        """The refusal, as the stock client knows it."""
        refused = too_many(
            f"this key may have {self.limit:g} {self.which}; retry in {self.retry_after_s:.0f} s",
            "rate_limit_exceeded",
            self.retry_after_s,
        )
        refused.headers |= told(self.measure, self.limit, self.remaining, self.retry_after_s)
        return refused


@dataclass(frozen=True)
class _Limit:
    rate: Rate
    item: RateLimitItem
    unit: int
    """Counts of one."""

    @property
    def which(self) -> str:
        return f"{self.rate.measure} per {self.rate.per}"

    def limited(self, left: Left) -> Limited:
        return Limited(
            which=self.which,
            measure=self.rate.measure,
            limit=self.rate.at_most,
            remaining=max(left.remaining, 0) / self.unit,
            retry_after_s=max(left.reset_at - time.time(), 0.0),
        )


class RateLimits:
    """The limits of one gateway; every workflow is counted apart.

    Clients without a key share one bucket by workflow: behind the front proxy every peer has the
    same address, and a header that names another one is the client's own word. Keys are hashed
    with the workspace's secret before they are counted, so neither memory nor a Redis holds one.
    """

    def __init__(self, settings: Rates, counts: Counts, secret: bytes, gateways: int = 1) -> None:
        self._counts = counts
        self._secret = secret[:64]
        self._each_key = _limits(settings.each_key, gateways)
        self._anonymous = _limits(settings.anonymous, gateways)
        self._most_keys = settings.most_keys
        self._known: set[str] = set()
        self._forget_at = 0.0

    async def admit(self, key: str, workflow: str) -> Limited | None:
        """Count one request of the key, or say which limit forbids it; then nothing is counted.

        What the key spent before is looked at first: tokens and money are known only afterwards,
        so the answer that crosses such a limit is still given, and the next one isn't.
        """
        limits, name = self._of(key, workflow)
        for limit in limits:
            if limit.rate.measure != "requests":
                left = await self._counts.unspent(limit.item, name)
                if left.remaining <= 0:
                    return limit.limited(left)
        for limit in limits:
            if limit.rate.measure != "requests":
                continue
            if not await self._counts.hit(limit.item, name):
                return limit.limited(await self._counts.hits_left(limit.item, name))
        return None

    async def charge(self, key: str, workflow: str, tokens: int, cost_usd: float) -> None:
        """Count what an answer took."""
        limits, name = self._of(key, workflow)
        had = {"tokens": tokens, "cost_usd": round(cost_usd * MICRO)}
        for limit in limits:
            if amount := had.get(limit.rate.measure, 0):
                await self._counts.spend(limit.item, name, amount)

    async def headers(self, key: str, workflow: str) -> dict[str, str]:
        """What remains to the key, in the headers of OpenAI's answers; none without a limit.

        Of several limits of one measure the one is told of which least remains.
        """
        limits, name = self._of(key, workflow)
        least: dict[str, Limited] = {}
        for limit in limits:
            asked = self._counts.hits_left
            if limit.rate.measure != "requests":
                asked = self._counts.unspent
            now = limit.limited(await asked(limit.item, name))
            known = least.get(now.measure)
            if known is None or now.remaining < known.remaining:
                least[now.measure] = now
        return {
            header: value
            for one in least.values()
            for header, value in told(
                one.measure, one.limit, one.remaining, one.retry_after_s
            ).items()
        }

    def _of(self, key: str, workflow: str) -> tuple[tuple[_Limit, ...], str]:
        if not key:
            return self._anonymous, f"{workflow}:anonymous"
        return self._each_key, f"{workflow}:{self._named(key)}" if self._each_key else ""

    def _named(self, key: str) -> str:
        name = hashlib.blake2b(key.encode(), key=self._secret, digest_size=16).hexdigest()
        if name in self._known:
            return name
        if time.monotonic() >= self._forget_at:
            self._known.clear()
            self._forget_at = time.monotonic() + DAY_S
        if len(self._known) >= self._most_keys:
            return OTHERS
        self._known.add(name)
        return name


def rate_limits(settings: Rates, secret: bytes, gateways: int) -> RateLimits:
    """The limits as an operator wrote them; counts in memory are this gateway's part only."""
    if settings.store == "memory:":
        return RateLimits(settings, LocalCounts(), secret, gateways)
    return RateLimits(settings, SharedCounts(settings.store), secret)


def told(measure: str, limit: float, remaining: float, reset_s: float) -> dict[str, str]:
    """A limit in the headers that OpenAI's answers carry."""
    return {
        f"x-ratelimit-limit-{measure.replace('_', '-')}": f"{limit:.15g}",
        f"x-ratelimit-remaining-{measure.replace('_', '-')}": f"{remaining:.15g}",
        f"x-ratelimit-reset-{measure.replace('_', '-')}": _lasting(reset_s),
    }


def _limits(rates: tuple[Rate, ...], gateways: int) -> tuple[_Limit, ...]:
    limits = []
    for rate in rates:
        unit = MICRO if rate.measure == "cost_usd" else 1
        amount = max(int(rate.at_most * unit) // gateways, 1)
        limits.append(_Limit(rate, PERIODS[rate.per](amount, namespace=rate.measure), unit))
    # The shortest period first: a flood that it refuses must not use up the longer ones.
    return tuple(sorted(limits, key=lambda limit: limit.item.get_expiry()))


def _lasting(seconds: float) -> str:
    """A time as OpenAI writes it: `6m0s`, `12s`, `20ms`."""
    if seconds < 1.0:
        return f"{seconds * 1e3:.0f}ms"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
