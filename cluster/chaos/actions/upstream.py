"""Lets the model behind the deployment fail for a while, in part or for one variant."""

import time
from collections.abc import Mapping

from cluster.chaos.scenario import model_of
from cluster.chaos.stage import Done, Stage
from engine.testing.faults.outcomes import Status
from engine.testing.faults.script import Match, Rule

LASTS_S = 4.0
LASTS_SLOW_S = 7.0
"""Longer: who is kept waiting gives up only after the workflow's two seconds."""
BROKEN_S = 3.0
AWAY_S = 0.4


def throttled(stage: Stage) -> Done:
    """A quarter of the calls is refused with 429, each asking for a wait in its own way."""
    kinds = ("throttled_for_ms", "throttled", "throttled_for_nonsense")
    return _mixed(stage, dict(zip(kinds, (0.15, 0.05, 0.05), strict=True)))


def failing(stage: Stage) -> Done:
    """A quarter of the calls fails with a status of the endpoint's own."""
    kinds = ("internal_error", "bad_gateway", "unavailable", "overloaded")
    return _mixed(stage, dict.fromkeys(kinds, 0.06))


def resetting(stage: Stage) -> Done:
    """A fifth of the connections is reset, at every place of an answer."""
    kinds = ("reset_before_headers", "reset_after_headers", "reset_mid_body", "closed_mid_body")
    return _mixed(stage, dict.fromkeys(kinds, 0.05))


def refused(stage: Stage) -> Done:
    """Nobody listens at the model's port for a moment."""
    stage.model.away(AWAY_S)
    stage.play()
    return Done(f"port {stage.model.port} was closed for {AWAY_S:g} s")


def stalling(stage: Stage) -> Done:
    """Some answers stand still before their headers or in their middle."""
    return _mixed(stage, {"stalled": 0.03, "stalled_mid_body": 0.03}, lasts_s=LASTS_SLOW_S)


def garbling(stage: Stage) -> Done:
    """A quarter of the answers is no answer, or more than anybody should read."""
    kinds = ("no_http", "bad_json", "choices_missing", "message_null", "huge_header", "short_body")
    return _mixed(stage, dict.fromkeys(kinds, 0.04))


def dripping(stage: Stage) -> Done:
    """Some answers come byte by byte."""
    return _mixed(stage, {"drip": 0.05}, lasts_s=LASTS_SLOW_S)


def one_variant(stage: Stage) -> Done:
    """Every call of the candidate fails; nobody else's does."""
    rule = Rule(match=Match(model=model_of(stage.rollouts)), outcome=Status(status=500))
    stage.play(rule)
    time.sleep(BROKEN_S)
    met = stage.model.served().get("status_500", 0)
    stage.play()
    evidence = f"{met} calls of {stage.candidate} failed" if met else ""
    return Done(evidence, aimed_at=stage.candidate)


def _mixed(stage: Stage, rates: Mapping[str, float], *, lasts_s: float = LASTS_S) -> Done:
    stage.play(rates=dict(rates))
    time.sleep(lasts_s)
    served = stage.model.served()
    stage.play()
    # Nobody waits for the end of an answer that stands still or drips.
    met = {name: served[name] for name in (*rates, "left") if served.get(name)}
    return Done(", ".join(f"{count} {name}" for name, count in met.items()))
