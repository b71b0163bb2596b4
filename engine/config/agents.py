"""What an operator may write about an agent and about the conversations it remembers."""

from typing import Literal

from pydantic import Field

from engine.config.frozen import Frozen

Pattern = Literal["single", "calling", "react", "team", "draft_review", "shortcut"]


class Agent(Frozen):
    """How an agent comes to its answer; every scalar may be a parameter of a search."""

    pattern: Pattern = "calling"
    """`single` is one turn without tools, `calling` uses the protocol's tool calls, `react` writes
    them as text, `team` plans, executes and reviews, `draft_review` has a cheap draft approved or
    corrected, `shortcut` takes the cheap model's own answer where it is sure of it."""
    max_steps: int = Field(10, ge=1, le=50)
    """Turns of the model; on the last one no tool may be called, so it has to answer."""
    iteration_timeout_s: float = Field(60.0, gt=0.0)
    """The most that one turn may take together with the tools that it calls."""
    max_tasks: int = Field(6, ge=1, le=12)
    """Tasks in a team's plan; a longer plan is done as a single task."""
    review: bool = True
    """A team's answer is read by a reviewer before it leaves."""
    review_rounds: int = Field(2, ge=1, le=5)
    """How often a reviewer may read; it can send an answer back in every round but the last."""
    confidence: float = Field(0.8, ge=0.0, le=1.0)
    """From here on the cheap model's own answer is taken."""
    summary: bool = False
    """Shorten long answers; code blocks stay as they are."""
    summary_chars: int = Field(1_200, ge=100, le=20_000)
    """Answers up to this length are left alone, and longer ones brought down to it."""


class Conversations(Frozen):
    """What is kept of a conversation between its requests."""

    ttl_s: float = Field(86_400.0, gt=0.0)
    """A conversation is forgotten this long after its last turn."""
    max_messages: int = Field(50, ge=2, le=10_000)
    """The latest ones are kept, from a user's message on."""
    max_facts: int = Field(100, ge=1, le=10_000)
    """The facts that were written last are kept."""
