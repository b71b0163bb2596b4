"""Two hundred questions in several wordings, how often each is asked, and who knows the answer."""

import json
from dataclasses import dataclass

import numpy as np

from engine.testing.faults.outcomes import Answer
from engine.testing.faults.script import Match, Rule, Script

VERBS = (
    "enable",
    "disable",
    "export",
    "import",
    "rename",
    "delete",
    "restore",
    "archive",
    "lock",
    "unlock",
)
OBJECTS = (
    "the audit log",
    "a shared calendar",
    "my billing profile",
    "the weekly report",
    "an access token",
    "a customer record",
    "the mail filter",
    "a project board",
    "the backup schedule",
    "a price list",
    "the webhook",
    "a user group",
    "the invoice template",
    "a database view",
    "the search index",
    "a support ticket",
    "the chat history",
    "a dashboard",
    "the time sheet",
    "a product catalogue",
)
WORDINGS = (
    "How do I {what}?",
    "How can I {what}?",
    "how do i {what}",
    "How to {what}?",
    "Please tell me, how do I {what}?",
    "What is the way to {what}?",
)
USUAL_WRONG = 0.03
"""Of all questions, those that the usual model answers wrongly."""
SURE, SURE_WRONG = 0.6, 0.02
"""Of all questions, those that the cheap model is sure of; and of these, those it has wrong."""


@dataclass(frozen=True)
class Question:
    """What is asked, and what the two models say to it."""

    number: int
    what: str
    usual_right: bool
    cheap_right: bool
    cheap_sure: bool

    @property
    def answer(self) -> str:
        """The right one."""
        return f"Page {self.number} of the handbook says how."

    @property
    def wordings(self) -> list[str]:
        """All of them mean the same."""
        return [wording.format(what=self.what) for wording in WORDINGS]

    def said(self, *, right: bool) -> str:
        """A right answer or a wrong one; which question it was given to can always be told."""
        return self.answer if right else f"Page {self.number} of no book says how."


@dataclass(frozen=True)
class Asked:
    """One request."""

    question: Question
    wording: str


def questions(rng: np.random.Generator) -> list[Question]:
    """Every verb with every object, so that each question has near neighbours that differ."""
    whats = [f"{verb} {thing}" for thing in OBJECTS for verb in VERBS]
    rng.shuffle(whats)
    count = len(whats)
    usual_wrong = set(rng.choice(count, round(USUAL_WRONG * count), replace=False).tolist())
    sure = rng.choice(count, round(SURE * count), replace=False)
    sure_wrong = set(rng.choice(sure, round(SURE_WRONG * len(sure)), replace=False).tolist())
    return [
        Question(
            number=number,
            what=what,
            usual_right=number not in usual_wrong,
            cheap_right=number not in sure_wrong,
            cheap_sure=number in set(sure.tolist()),
        )
        for number, what in enumerate(whats)
    ]


def asked(known: list[Question], count: int, rng: np.random.Generator) -> list[Asked]:
    """Requests: the n-th question n times as rarely as the first, in any of its wordings."""
    chances = 1.0 / np.arange(1, len(known) + 1)
    drawn = rng.choice(len(known), size=count, p=chances / chances.sum())
    wordings = rng.integers(0, len(WORDINGS), size=count)
    return [
        Asked(known[number], known[number].wordings[wording])
        for number, wording in zip(drawn.tolist(), wordings.tolist(), strict=True)
    ]


def script(known: list[Question], usual: str, cheap: str) -> Script:
    """Two models that know what they know, however they are asked."""
    told = [(wording, question) for question in known for wording in question.wordings]
    # A wording may be a part of another one: the whole one is met first.
    told.sort(key=lambda each: len(each[0]), reverse=True)
    rules = []
    for wording, question in told:
        sure = 0.95 if question.cheap_sure else 0.3
        said = {"answer": question.said(right=question.cheap_right), "confidence": sure}
        rules += [
            _rule(usual, wording, question.said(right=question.usual_right)),
            _rule(cheap, wording, json.dumps(said)),
        ]
    return Script(models=(usual, cheap), rules=tuple(rules))


def _rule(model: str, wording: str, text: str) -> Rule:
    answer = Answer(text=text, input_tokens=600, output_tokens=40)
    return Rule(match=Match(model=model, says=wording), outcome=answer)
