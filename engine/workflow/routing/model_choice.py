"""Chooses a request's model by how hard it looks, by what is left to spend, and by its deadline."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from engine.config.routing import ModelChoice, Profile
from engine.workflow.parts import Tier
from engine.workflow.routing.complexity import complexity
from engine.workflow.run import Run

ORDER: tuple[Tier, ...] = ("cheap", "usual", "strong")


@dataclass(frozen=True)
class Need:
    """What one call needs, and what it may take."""

    text: str
    """The request, not the whole prompt: the prompt's length says nothing of the task."""
    input_tokens: int
    left_s: float
    left_usd: float
    degraded: bool = False
    """The request has to save what is left."""

    @classmethod
    def of(cls, run: Run, text: str, input_tokens: int) -> "Need":
        """What a call of this request needs now.

        Raises:
            DeadlineError: Nothing is left of its time.
        """
        left_usd = run.budget.cost_usd - run.cost_usd
        degraded = run.level == "degraded"
        return cls(text, input_tokens, run.within(float("inf")), left_usd, degraded)


@dataclass(frozen=True)
class Choice:
    """A model, and why it was chosen."""

    model: str
    tier: Tier
    points: int
    """Of complexity."""
    cost_usd: float
    """Reckoned from its prices, with an answer of the usual length."""
    latency_s: float
    """Reckoned in the same way."""
    reason: str


class _Candidate(NamedTuple):
    model: str
    profile: Profile
    cost_usd: float
    latency_s: float


def choose(need: Need, settings: ModelChoice) -> Choice:
    """The best model of the tier that the task wants, or of the nearest tier where one fits.

    Tokens, money and time are limits. Where no model keeps them all, the one that reads the whole
    prompt for the least money is chosen; where none reads it, the one that reads most.
    """
    looks = complexity(need.text)
    wanted = _tier(looks.points, settings)
    why = [f"complexity {looks.points}", *looks.reasons]
    if need.degraded and wanted != "cheap":
        wanted = "cheap"
        why.append("saving what is left")
    every = [_reckoned(name, need, settings) for name in sorted(settings.models)]
    readers = [each for each in every if _reads(each, need, settings)]
    fitting = [each for each in readers if _affordable(each, need, settings)]
    if fitting:
        chosen = min(fitting, key=lambda each: _preference(each, wanted))
        why += _aside(chosen, wanted, every, fitting)
    elif readers:
        chosen = min(readers, key=lambda each: (each.cost_usd, each.latency_s))
        why.append("no model keeps cost and time: the least dear")
    else:
        chosen = max(every, key=lambda each: each.profile.context_tokens)
        why.append("no model reads so much: the one that reads most")
    return Choice(
        model=chosen.model,
        tier=chosen.profile.tier,
        points=looks.points,
        cost_usd=chosen.cost_usd,
        latency_s=chosen.latency_s,
        reason="; ".join([f"wanted {wanted}", *why]),
    )


def _tier(points: int, settings: ModelChoice) -> Tier:
    if points >= settings.strong_from:
        return "strong"
    return "usual" if points >= settings.usual_from else "cheap"


def _reckoned(name: str, need: Need, settings: ModelChoice) -> _Candidate:
    profile = settings.models[name]
    wrote = settings.answer_tokens
    dollars = need.input_tokens * profile.input_usd + wrote * profile.output_usd
    latency_s = profile.first_text_s + wrote / profile.tokens_per_s
    return _Candidate(name, profile, dollars / 1e6, latency_s)


def _reads(each: _Candidate, need: Need, settings: ModelChoice) -> bool:
    return need.input_tokens + settings.answer_tokens <= each.profile.context_tokens


def _affordable(each: _Candidate, need: Need, settings: ModelChoice) -> bool:
    limit_s = min(need.left_s, settings.latency_target_s or need.left_s)
    return each.cost_usd <= need.left_usd and each.latency_s <= limit_s


def _preference(each: _Candidate, wanted: Tier) -> tuple[int, float, float, str]:
    # Half a step: between a tier below and one above, the one above answers well too.
    steps = ORDER.index(each.profile.tier) - ORDER.index(wanted)
    distance = 2 * abs(steps) - (steps > 0)
    return distance, -each.profile.quality, each.cost_usd, each.model


def _aside(
    chosen: _Candidate,
    wanted: Tier,
    every: Sequence[_Candidate],
    fitting: Iterable[_Candidate],
) -> list[str]:
    if chosen.profile.tier == wanted:
        return []
    passed = sorted(
        {each.model for each in every if each.profile.tier == wanted}
        - {each.model for each in fitting}
    )
    names = ", ".join(passed)
    return [f"{names} passed over for tokens, cost or time" if passed else f"no {wanted} model"]
