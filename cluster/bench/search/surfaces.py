"""Three response surfaces of different shape, with what makes each of them hard."""

from math import log, log2

from engine.config.parameter import (
    BoolParameter,
    ChoiceParameter,
    FloatParameter,
    IntParameter,
    Scalar,
)
from engine.config.space import Space
from search.replay.surface import Settings, Surface

MODELS = {"small": (-0.022, -0.40), "medium": (0.0, 0.0), "large": (0.035, 0.42)}
"""Quality and logarithm of latency that a model adds."""
PROMPTS = {"plain": 0.0, "grounded": 0.024, "stepwise": 0.006, "terse": -0.02}


def mixed() -> Surface:
    """Six knobs with interactions; the best model is too slow, so the peak lies out of bounds.

    Quality is .600 at the baseline, .680 at the best that is quick enough and .734 at the peak;
    15 % of random settings and 46 % of one-knob changes are better and quick enough.
    """
    space = Space(
        parameters={
            "model": ChoiceParameter(type="choice", choices=tuple(MODELS)),
            "prompt": ChoiceParameter(type="choice", choices=tuple(PROMPTS)),
            "temperature": FloatParameter(type="float", low=0.0, high=1.0),
            "depth": IntParameter(type="int", low=1, high=20),
            "reflection": IntParameter(type="int", low=0, high=3),
            "max_tokens": IntParameter(type="int", low=64, high=1024, log=True),
        }
    )
    baseline: dict[str, Scalar] = {
        "model": "medium",
        "prompt": "plain",
        "temperature": 0.7,
        "depth": 4,
        "reflection": 0,
        "max_tokens": 256,
    }
    offset = 0.6 - _mixed_quality(baseline)
    return Surface(
        name="mixed",
        space=space,
        baseline=baseline,
        quality=lambda settings: _bounded(offset + _mixed_quality(settings)),
        log_latency=_mixed_log_latency,
    )


def _mixed_quality(settings: Settings) -> float:
    temperature, depth = float(settings["temperature"]), float(settings["depth"])
    steps, tokens = int(settings["reflection"]), float(settings["max_tokens"])
    model, prompt = str(settings["model"]), str(settings["prompt"])
    deep, long = log2(depth / 8.0), log2(tokens / 384.0)
    quality = MODELS[model][0] + PROMPTS[prompt] - 0.026 * square((temperature - 0.25) / 0.45)
    quality -= (0.021 if deep < 0 else 0.016) * square(deep)
    quality -= (0.010 if long < 0 else 0.005) * square(long)
    quality += 0.010 * steps - 0.0028 * steps * steps
    if prompt == "stepwise":
        quality += 0.012 * min(steps, 2) + (0.01 if model == "large" else 0.0)
    if depth > 10 and tokens < 256:
        quality -= 0.03
    if steps >= 2 and temperature < 0.15:
        quality -= 0.012
    return quality


def _mixed_log_latency(settings: Settings) -> float:
    added = {"stepwise": 0.06, "terse": -0.05}.get(str(settings["prompt"]), 0.0)
    return (
        MODELS[str(settings["model"])][1]
        + added
        + 0.012 * (float(settings["depth"]) - 4.0)
        + 0.10 * int(settings["reflection"])
        + 0.16 * log(float(settings["max_tokens"]) / 256.0)
    )


def conditional() -> Surface:
    """Reranking and review have knobs of their own, which count only while they are on.

    Each switch alone hurts at its knobs' usual values, so both must be turned together.
    """
    space = Space(
        parameters={
            "rerank": BoolParameter(type="bool"),
            "rerank_depth": IntParameter(type="int", low=5, high=60, when={"rerank": True}),
            "review": ChoiceParameter(type="choice", choices=("none", "self", "second")),
            "review_rounds": IntParameter(type="int", low=1, high=4, when={"review": "self"}),
            "threshold": FloatParameter(type="float", low=0.0, high=1.0, when={"review": "second"}),
            "top_k": IntParameter(type="int", low=1, high=16),
            "temperature": FloatParameter(type="float", low=0.0, high=1.0),
        }
    )
    baseline: dict[str, Scalar] = {
        "rerank": False,
        "review": "none",
        "top_k": 6,
        "temperature": 0.3,
    }
    offset = 0.6 - _conditional_quality(baseline)
    return Surface(
        name="conditional",
        space=space,
        baseline=baseline,
        quality=lambda settings: _bounded(offset + _conditional_quality(settings)),
        log_latency=_conditional_log_latency,
    )


def _conditional_quality(settings: Settings) -> float:
    top_k, temperature = float(settings["top_k"]), float(settings["temperature"])
    quality = -0.012 * square(log2(top_k / 5.0)) - 0.05 * (temperature - 0.2) ** 2
    if settings["rerank"]:
        quality += 0.045 - 0.03 * square(log2(float(settings["rerank_depth"]) / 24.0))
        quality += 0.012 * square(log2(top_k / 5.0)) if top_k < 5 else 0.0
    if settings["review"] == "self":
        quality += 0.018 - 0.012 * square(float(settings["review_rounds"]) - 2.0)
    if settings["review"] == "second":
        quality += 0.035 - 0.25 * (float(settings["threshold"]) - 0.65) ** 2
    return quality


def _conditional_log_latency(settings: Settings) -> float:
    latency = 0.02 * (float(settings["top_k"]) - 6.0)
    if settings["rerank"]:
        latency += 0.0025 * float(settings["rerank_depth"])
    if settings["review"] == "self":
        latency += 0.08 * int(settings["review_rounds"])
    if settings["review"] == "second":
        latency += 0.22 * float(settings["threshold"]) - 0.05
    return latency


def ridge() -> Surface:
    """Eight knobs of which two matter together: a narrow ridge that one knob alone falls off."""
    knobs = [f"knob_{number}" for number in range(8)]
    space = Space(
        parameters={knob: FloatParameter(type="float", low=0.0, high=1.0) for knob in knobs}
    )
    baseline: dict[str, Scalar] = dict.fromkeys(knobs, 0.3)
    offset = 0.6 - _ridge_quality(baseline)
    return Surface(
        name="ridge",
        space=space,
        baseline=baseline,
        quality=lambda settings: _bounded(offset + _ridge_quality(settings)),
        log_latency=lambda settings: 0.25 * (float(settings["knob_7"]) - 0.3),
    )


def _ridge_quality(settings: Settings) -> float:
    one, other = float(settings["knob_0"]), float(settings["knob_1"])
    along, across = (one + other) / 2.0, one - other
    quality = 0.09 * min(along, 0.75) / 0.75 - 0.35 * across**2
    quality -= 0.02 * (float(settings["knob_2"]) - 0.4) ** 2
    return quality + 0.02 * float(settings["knob_7"])


def square(value: float) -> float:
    """Its square; `**` would be of any type."""
    return value * value


def _bounded(quality: float) -> float:
    return min(max(quality, 0.05), 0.95)


SURFACES = {surface.name: surface for surface in (mixed(), conditional(), ridge())}
