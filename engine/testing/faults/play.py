"""Plays a script: who meets which outcome, by rule, by chance, or by dialogue."""

import random
from dataclasses import dataclass

from engine.testing.faults.asked import Asked, text_of
from engine.testing.faults.named import FAULTS
from engine.testing.faults.outcomes import Answer, Outcome
from engine.testing.faults.script import Dialogue, Match, Script


@dataclass(frozen=True)
class Scene:
    """What becomes of one request."""

    name: str
    """The fault's name, or the outcome's kind: what is counted."""
    outcome: Outcome
    answer: Answer
    """What is said on a good day, and what the outcome spoils."""


class Play:
    """One script with the numbers of the requests that it met so far.

    The n-th request meets the same fault in every play with the same script and seed.
    """

    def __init__(self, script: Script, seed: int) -> None:
        self.script = script
        self._seed = seed
        self._met = [0] * len(script.rules)
        self._requests = 0

    def scene(self, asked: Asked) -> Scene:
        """What becomes of this request, the next one."""
        self._requests += 1
        answer = self._said(asked)
        chosen = self._by_rule(asked) or self._by_chance()
        if chosen is None:
            return Scene("answer", answer, answer)
        name, outcome = chosen
        return Scene(name, outcome, outcome if isinstance(outcome, Answer) else answer)

    def _by_rule(self, asked: Asked) -> tuple[str, Outcome] | None:
        chosen: tuple[str, Outcome] | None = None
        for place, rule in enumerate(self.script.rules):
            if not _matches(rule.match, asked):
                continue
            # Every rule counts what it could have been for, also where an earlier one comes first.
            self._met[place] += 1
            last = rule.match.last or self._met[place]
            if chosen is None and rule.match.first <= self._met[place] <= last:
                chosen = rule.chosen
        return chosen

    def _by_chance(self) -> tuple[str, Outcome] | None:
        left = random.Random(f"{self._seed}:{self._requests}").random()
        for name, share in sorted(self.script.rates.items()):
            left -= share
            if left < 0.0:
                return name, FAULTS[name]
        return None

    def _said(self, asked: Asked) -> Answer:
        for dialogue in self.script.dialogues:
            if (answer := _turn(dialogue, asked)) is not None:
                return answer
        return self.script.usual


def _matches(match: Match, asked: Asked) -> bool:
    return (
        (match.path is None or asked.path.endswith(match.path))
        and match.model in {None, asked.model}
        and (match.says is None or match.says in asked.said)
        and (match.tool is None or match.tool in asked.tools)
    )


def _turn(dialogue: Dialogue, asked: Asked) -> Answer | None:
    told = [(str(message.get("role")), text_of(message)) for message in asked.messages]
    systems = [text for role, text in told if role in {"system", "developer"}]
    if dialogue.system and not any(dialogue.system in text for text in systems):
        return None
    begins = [
        n for n, (role, text) in enumerate(told) if role == "user" and dialogue.prompt in text
    ]
    turns = [turn for turn in dialogue.turns if asked.tools or not turn.calls]
    if not begins or not turns:
        return None
    since = told[begins[-1] :] if dialogue.prompt else told
    said = sum(role == "assistant" for role, _ in since)
    return turns[min(said, len(turns) - 1)]
