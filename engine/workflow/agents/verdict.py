"""Reads what a reviewer thinks of an answer, and how sure a model is of its own."""

import math
from dataclasses import dataclass

from engine.workflow.agents.loose_json import first_object

_KEYS = ("approved", "approve", "accepted", "verdict", "decision", "ok")
_YES = ("approved", "approve", "accepted", "accept", "yes", "true", "pass", "ok", "lgtm")
_NO = ("rejected", "reject", "not approved", "revise", "no", "false", "fail", "needs changes")


@dataclass(frozen=True)
class Verdict:
    """A reviewer's decision."""

    approved: bool
    remarks: str = ""
    redo: tuple[str, ...] = ()
    """The tasks to be done again."""
    answer: str = ""
    """The corrected answer, where the reviewer wrote one."""


@dataclass(frozen=True)
class Sure:
    """A model's answer with its own confidence in it, from 0 to 1."""

    answer: str
    confidence: float


def verdict(text: str) -> Verdict | None:
    """The verdict in a reviewer's turn; None where it can't be read, which approves nothing."""
    blob = first_object(text)
    if blob is None:
        return _in_words(text)
    key = next((key for key in _KEYS if key in blob), None)
    decided = None if key is None else _decided(str(blob[key]))
    if decided is None:
        return None
    redo = blob.get("redo")
    return Verdict(
        decided,
        _text(blob.get("remarks")),
        tuple(str(task) for task in redo) if isinstance(redo, list) else (),
        _text(blob.get("answer")),
    )


def sure(text: str) -> Sure | None:
    """The answer and its confidence; None where either is missing or can't be read."""
    blob = first_object(text)
    if blob is None:
        return None
    answer, confidence = _text(blob.get("answer")), _share(blob.get("confidence"))
    return None if not answer or confidence is None else Sure(answer, confidence)


def _in_words(text: str) -> Verdict | None:
    decided = _decided(text)
    return None if decided is None else Verdict(decided, text.strip())


def _decided(text: str) -> bool | None:
    word = text.strip(" \n*_#`\"'").lower()
    for words, approved in ((_NO, False), (_YES, True)):
        for start in words:
            if word.startswith(start) and not word[len(start) : len(start) + 1].isalnum():
                return approved
    return None


def _text(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(str(item) for item in value)
    return "" if value is None else str(value).strip()


def _share(value: object) -> float | None:
    try:
        share = float(str(value).strip().removesuffix("%"))
    except ValueError:
        return None
    # some write per cent whatever they are asked for
    share = share / 100.0 if share > 1.0 else share
    return share if math.isfinite(share) and 0.0 <= share <= 1.0 else None
