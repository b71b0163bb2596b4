"""What was expected of units before they met a variant: frozen, and carried with the evidence."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from engine.stats.pseudo import Centre

Score = Annotated[float, Field(ge=0.0, le=1.0)]


class Expected(BaseModel):
    """The baseline's mean score by segment before a window, where segments differ in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    segments: dict[str, Score] = Field(min_length=2)
    variance: float = Field(gt=0.0)
    """Of a score around the mean of its segment."""


def centre_of_window(f0: float, expected: Expected | None) -> float | Centre:
    """What the test of a window measures scores from."""
    if expected is None:
        return f0
    means = (f0, *expected.segments.values())
    return Centre(mean=f0, low=min(means), high=max(means), variance=expected.variance)
