"""What models cost and how much they can read, as a list with dates."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from engine.config.frozen import Frozen
from engine.config.problem import Problem, impossible
from engine.config.source import load
from engine.workflow.parts import Tier

Usd = Annotated[float, Field(ge=0.0)]


class Price(Frozen):
    """What a million tokens cost from a day on, until a later price."""

    since: date
    input_usd: Usd
    cached_usd: Usd | None = None
    """For input tokens that the endpoint had cached; null where they cost like the others."""
    output_usd: Usd

    def cost_usd(self, read: int, cached: int, wrote: int) -> float:
        """For `read` input tokens, of which `cached` were cached, and `wrote` output tokens."""
        cached_usd = self.input_usd if self.cached_usd is None else self.cached_usd
        fresh = (read - cached) * self.input_usd
        return (fresh + cached * cached_usd + wrote * self.output_usd) / 1e6


class Profile(Frozen):
    """What is known of a model before it is asked."""

    context_tokens: int | None = Field(None, ge=1)
    """Input and output together; null where the model itself sets no limit."""
    tier: Tier
    prices: tuple[Price, ...]

    @model_validator(mode="after")
    def _one_price_a_day(self) -> Self:
        days = [price.since for price in self.prices]
        if days != sorted(set(days)):
            why = "got days out of order or twice; write each day once, the oldest first"
            raise impossible([Problem(("prices",), why)])
        return self

    def price(self, on: date) -> Price | None:
        """The newest price that held on this day; None before the first."""
        held = [price for price in self.prices if price.since <= on]
        return held[-1] if held else None


class PriceList(Frozen):
    """The models that a workflow may name, with their prices."""

    models: dict[str, Profile] = Field(default_factory=dict)

    def price(self, model: str, on: date) -> Price | None:
        """What this model cost on this day; None where the list does not say."""
        profile = self.models.get(model)
        return profile.price(on) if profile else None


def read_prices(path: Path) -> PriceList:
    """The list in this file.

    Raises:
        ConfigError: The file can't be read, or holds something impossible; says at which lines.
    """
    return load(path, PriceList)


def today() -> date:
    """The day that a call's price is looked up for, in UTC as on a bill."""
    return datetime.now(UTC).date()
