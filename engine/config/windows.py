"""What an operator may write about windows, the ramp after them, and who proposes for them."""

from typing import Annotated, Literal

from pydantic import Field

from engine.config.frozen import Frozen

PositiveShare = Annotated[float, Field(gt=0.0, le=1.0)]


class Windows(Frozen):
    """How candidates get traffic, and when their windows close."""

    concurrent: int = Field(1, ge=1, le=62)
    """Windows open at once."""
    share: PositiveShare = 0.05
    """Of all traffic, for each candidate."""
    exploration_cap: PositiveShare = 0.2
    """Of all traffic, for all candidates together."""
    boost_cap: PositiveShare | None = None
    """The same once a candidate looks good; None leaves it at `exploration_cap`."""
    allocation: Literal["thompson", "even", "top-two"] = "thompson"
    """Who gets how much of it: those that may be better than the baseline, everybody alike, or
    those that may be the best."""
    allocate_s: float = Field(30.0, gt=0.0)
    """How often the shares are looked at again."""
    min_units: int = Field(200, ge=1)
    """Matured candidate units before a promotion."""
    max_units: int = Field(2_000, ge=1)
    """Matured candidate units after which a window closes undecided, unless half of the evidence
    that it needs is in."""
    looks: int = Field(5, ge=1, le=20)
    """Looks at a window under `policy: group-sequential`, evenly up to `max_units`."""
    lease_s: float = Field(30.0, gt=0.0)
    """How long gateways honour a window that nobody renews."""
    max_trials: int = Field(20, ge=1)

    @property
    def most(self) -> float:
        """The largest share of all traffic that candidates may ever have together."""
        return self.exploration_cap if self.boost_cap is None else self.boost_cap


class Ramp(Frozen):
    """The planned steps of a nominated candidate, as shares of all traffic."""

    steps: tuple[PositiveShare, ...] = Field((0.25, 0.5, 0.9), min_length=1)
    min_units: int = Field(200, ge=1)
    """Matured candidate units at a step before the next."""


Proposer = Literal["differences", "tpe", "article", "random"]


class Sampler(Frozen):
    """How settings are suggested."""

    name: Proposer = "differences"
    """`differences` models lifts over the concurrent baseline with their errors; `tpe` is Optuna's,
    on lifts shrunk by their errors; `article` changes one parameter at random; `random` all."""
    startup_trials: int = Field(6, ge=1)
    """Trials at random before the sampler learns."""
