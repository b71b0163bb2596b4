"""Makes the agent that the settings name."""

from collections.abc import Mapping

from engine.config import agents as config
from engine.workflow.agents.calling import Calling
from engine.workflow.agents.draft_review import DraftReview
from engine.workflow.agents.prompts import PROMPTS
from engine.workflow.agents.react import React
from engine.workflow.agents.result import Agent
from engine.workflow.agents.shortcut import Shortcut
from engine.workflow.agents.single import Single
from engine.workflow.agents.summary import Summary
from engine.workflow.agents.team import HandOver, Team, nobody
from engine.workflow.parts import Asker, Tier, Toolbelt


def build(
    settings: config.Agent,
    asker: Asker,
    belt: Toolbelt | None = None,
    prompts: Mapping[str, str] | None = None,
    *,
    hand_over: HandOver = nobody,
) -> Agent:
    """The agent of one variant; `prompts` stand in for ours of the same names.

    Without a belt, an agent that would call tools answers in a single turn.
    """
    told = {**PROMPTS, **(prompts or {})}
    agent = _agent(settings, asker, belt, told, hand_over)
    if not settings.summary:
        return agent
    return Summary(asker, agent, settings.summary_chars, told)


def _agent(
    settings: config.Agent,
    asker: Asker,
    belt: Toolbelt | None,
    prompts: Mapping[str, str],
    hand_over: HandOver,
) -> Agent:
    match settings.pattern:
        case "single":
            return Single(asker)
        case "calling":
            return _worker(settings, asker, belt)
        case "react":
            return Single(asker) if belt is None else React(asker, belt, settings, prompts)
        case "team":
            executor = _worker(settings, asker, belt)
            return Team(asker, executor, settings, prompts, hand_over=hand_over)
        case "draft_review":
            drafter = _worker(settings, asker, belt, tier="cheap")
            return DraftReview(asker, drafter, prompts)
        case "shortcut":
            full = _worker(settings, asker, belt)
            return Shortcut(asker, full, settings.confidence, prompts)


def _worker(
    settings: config.Agent, asker: Asker, belt: Toolbelt | None, *, tier: Tier = "usual"
) -> Agent:
    if belt is None:
        return Single(asker, tier=tier)
    return Calling(asker, belt, settings, tier=tier)
