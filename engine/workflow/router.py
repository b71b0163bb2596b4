"""Says what kind of question it is and which agent takes it."""

import re
from typing import Literal

from engine.config.workflow import NodeName, Nodes, Router

Intent = Literal["definition", "how-to", "comparison", "arithmetic", "other"]

READ = 4_000
"""Characters of a question that its kind is read from."""
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*")
_INTENTS: tuple[tuple[Intent, re.Pattern[str]], ...] = (
    (
        "arithmetic",
        re.compile(
            r"\d\s*[-+*/%\u00d7\u00f7]+\s*\(?-?\d|\bpercent of\b|\d\s?% of\b|\bsquare root of\b"
            r"|\b(?:sum|product|quotient|average|mean) of\s+\d|\b\d+ (?:plus|minus|times) \d",
            re.IGNORECASE,
        ),
    ),
    (
        "comparison",
        re.compile(
            r"\b(?:differ\w*|versus|vs|compare[ds]?|comparison|unlike|opposed to|instead of"
            r"|rather than|same as|better than|distinguish\w*|than)\b",
            re.IGNORECASE,
        ),
    ),
    (
        "how-to",
        re.compile(r"\bhow (?:do|can|could|should|would|to|is|are)\b|\bway to\b", re.IGNORECASE),
    ),
    (
        "definition",
        re.compile(r"\b(?:what|which|when|where|who|why|define|meaning)\b", re.IGNORECASE),
    ),
)


def intent(question: str) -> Intent:
    """The kind of question, by its first words alone: no variant's setting changes it.

    It is asked on every gateway's way to an answer, so a long text is not read to its end.
    """
    for name, pattern in _INTENTS:
        if pattern.search(question, 0, READ):
            return name
    return "other"


def route(question: str, router: Router, nodes: Nodes) -> NodeName:
    """The agent that takes this question; a disabled agent's questions go to the other one."""
    default: NodeName = "qa_agent" if nodes.qa_agent.default else "qa_with_tool_agent"
    chosen = "qa_with_tool_agent" if clues(question, router) >= router.tool_threshold else default
    if chosen == "qa_with_tool_agent" and not nodes.qa_with_tool_agent.enabled:
        return "qa_agent"
    return chosen


def clues(question: str, router: Router) -> int:
    """How many of the router's keywords and how many numbers the question holds."""
    words = question.lower()
    keywords = sum(
        re.search(rf"(?<!\w){re.escape(keyword.lower())}(?!\w)", words) is not None
        for keyword in router.tool_keywords
    )
    return keywords + len(_NUMBER.findall(question))
