"""Asks an index better than the user did: a follow-up made whole, one question in several ways."""

import re
from collections.abc import Sequence

from engine.config.retrieval import Rewriting
from engine.errors import DeadlineError
from engine.workflow.failure import StepError
from engine.workflow.parts import Asker
from engine.workflow.reply import Message
from engine.workflow.run import Run
from engine.workflow.spans import Span
from engine.workflow.words import terms

LONGEST = 400
"""Characters of a question; what is longer is an answer."""

HISTORY = 6
"""Earlier messages that the model reads to understand a follow-up."""

FEW = 3
"""With at most so many terms of its own, a question that points backwards says too little."""

NEW = 0.5
"""The part of a rewritten question's terms that the conversation need not hold."""

ALONE = (
    "Rewrite the user's last question so that it can be understood without the conversation: put "
    "names in place of words such as it or that. Write only the question, in its language; do not "
    "answer it."
)
WAYS = (
    "Write {count} other ways to ask the user's question, as one would to find texts that answer "
    "it. One a line, without numbers before them; do not answer it."
)

_POINTING = re.compile(
    r"\b(it|its|they|them|their|this|that|these|those|he|him|his|she|her|one|ones|there|former|"
    r"latter|same|else|instead)\b|^(and|but|or|so|then|also|why|how come|what about|how about)\b",
    re.IGNORECASE,
)
_ANSWERS = re.compile(
    r"^(sure|certainly|of course|yes|no|here|the answer|as an|i am|i'm|i can|i cannot|i can't|"
    r"sorry|unfortunately|based on|according to)\b",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")
_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"\w+")


async def asked_alone(
    messages: Sequence[Message], settings: Rewriting, asker: Asker, run: Run
) -> str:
    """The last question in words that need no conversation; as it stands where that fails."""
    told = [(str(message.get("role")), spoken(message)) for message in messages]
    question = told[-1][1]
    earlier = [text for role, text in told[:-1] if role == "user"]
    if not earlier or settings.follow_ups == "none":
        return question
    if settings.follow_ups == "heuristic":
        return heuristic(earlier, question)
    with run.timeline.span("rewrite") as span:
        lines = [f"{role}: {text}" for role, text in told[-1 - HISTORY :] if role != "system"]
        known = " ".join(text for role, text in told if role != "system")
        written = await _written(ALONE, "\n".join(lines), asker, run, span)
        if written is None:
            return question
        if not _is_question(written, known) or _strange(written, known) > NEW:
            span["fallback"] = "unusable"
            return question
        return written.strip()


def heuristic(earlier: Sequence[str], question: str) -> str:
    """A question that points backwards and says little, with the words of the one before it."""
    whole = ""
    for asked in [*earlier, question]:
        leans = bool(_POINTING.search(asked.strip())) and len(terms(asked)) <= FEW
        whole = f"{asked} {_subject(whole, asked)}".strip() if leans else asked
    return whole[:LONGEST] if whole != question else question


async def ways_of_asking(question: str, settings: Rewriting, asker: Asker, run: Run) -> list[str]:
    """The question first, then others that mean the same; the question alone where that fails."""
    if settings.queries == 1:
        return [question]
    with run.timeline.span("rewrite") as span:
        count = settings.queries - 1
        written = await _written(WAYS.format(count=count), question, asker, run, span)
        if written is None:
            return [question]
        lines = (_BULLET.sub("", line).strip() for line in written.splitlines())
        others = [line for line in lines if line != question and _is_question(line, question)]
        if not others:
            span["fallback"] = "unusable"
        return [question, *list(dict.fromkeys(others))[:count]]


def spoken(message: Message) -> str:
    """The text of a message, whatever else it holds."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content.strip()
    texts = (part.get("text", "") for part in content if isinstance(part, dict))
    return " ".join(text for text in texts if text).strip()


async def _written(task: str, told: str, asker: Asker, run: Run, span: Span) -> str | None:
    try:
        reply = await asker.ask(
            [{"role": "system", "content": task}, {"role": "user", "content": told}],
            run,
            node="rewrite_model",
            tier="cheap",
        )
    except (StepError, DeadlineError) as failure:
        span.update(fallback="failed", why=getattr(failure, "code", "timeout"))
        return None
    return reply.text


def _is_question(text: str, known: str) -> bool:
    """Whether it can be asked: short, no answer, and with no number that nobody mentioned."""
    text = text.strip()
    invented = set(_NUMBER.findall(text)) - set(_NUMBER.findall(known))
    fits = bool(terms(text)) and len(text) <= LONGEST and "\n" not in text
    return fits and not invented and not _ANSWERS.match(text)


def _strange(text: str, known: str) -> float:
    """The part of the text's terms that the conversation doesn't hold; many are an answer."""
    own = set(terms(text))
    return len(own - set(terms(known))) / max(1, len(own))


def _subject(earlier: str, question: str) -> str:
    """The words that say what the earlier question was about, and are not repeated."""
    said = {word.lower() for word in _WORD.findall(question)}
    words = (word for word in _WORD.findall(earlier) if terms(word) and word.lower() not in said)
    return " ".join(dict.fromkeys(words))
