"""How many bytes conversations take in the book of tasks, against what was said in them."""

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from engine.books.task import NewTask
from engine.books.tasks import TaskBook

BATCH = 100
SHORTEST_BYTES, LONGEST_BYTES = 2_000, 20_000


@dataclass(frozen=True)
class Conversation:
    """What a task asks, with all that was said before, and what it is answered."""

    asked: bytes
    answered: bytes


@dataclass(frozen=True)
class Footprint:
    """Bytes before packing, and of the files that hold them, dictionaries and indexes included."""

    raw_bytes: int
    stored_bytes: int

    @property
    def saved(self) -> float:
        """The share of the bytes that is not stored."""
        return 1.0 - self.stored_bytes / self.raw_bytes


def footprint_queued(folder: Path, conversations: Sequence[Conversation]) -> Footprint:
    """Of tasks that wait; the folder must be empty."""
    book = TaskBook(folder / "tasks.db", capacity=len(conversations))
    ids = count()
    for start in range(0, len(conversations), BATCH):
        batch = conversations[start : start + BATCH]
        book.submit([_task(next(ids), one) for one in batch])
        book.learn(0.0)
    book.close()
    return Footprint(sum(len(one.asked) for one in conversations), _stored(folder))


def footprint_finished(folder: Path, conversations: Sequence[Conversation]) -> Footprint:
    """Of tasks that were asked and answered; the folder must be empty."""
    book = TaskBook(folder / "tasks.db", capacity=len(conversations))
    ids = count()
    for start in range(0, len(conversations), BATCH):
        batch = conversations[start : start + BATCH]
        book.submit([_task(next(ids), one) for one in batch])
        # the oldest is claimed first, so that the answers go to what they belong to
        for one, held in zip(batch, book.claim(0.0, 60.0, most=BATCH), strict=True):
            book.finish(held.id, held.token, "done", 1.0, answered=one.answered)
        book.learn(1.0)
    book.close()
    raw_bytes = sum(len(one.asked) + len(one.answered) for one in conversations)
    return Footprint(raw_bytes, _stored(folder))


def conversations(
    questions: Sequence[str], texts: Mapping[str, str], *, most: int, paraphrased: float, seed: int
) -> Iterator[Conversation]:
    """Conversations about these texts, of 2 to 20 KB, most of them short.

    Answers quote a few sentences; `paraphrased` is the share of their words that are others.
    """
    dice = random.Random(seed)
    sentences = [re.split(r"(?<=[.:])\s+", text) for text in texts.values()]
    words = sorted({word for question in questions for word in question.split()})

    def answer() -> str:
        text = dice.choice(sentences)
        start = dice.randrange(len(text))
        quoted = " ".join(text[start : start + dice.randint(2, 8)]).split(" ")
        return " ".join(dice.choice(words) if dice.random() < paraphrased else w for w in quoted)

    for _ in range(most):
        room = SHORTEST_BYTES * (LONGEST_BYTES / SHORTEST_BYTES) ** dice.random()
        messages: list[dict[str, str]] = []
        while room > 0:
            messages.append({"role": "user", "content": dice.choice(questions)})
            messages.append({"role": "assistant", "content": answer()})
            room -= sum(len(one["content"]) for one in messages[-2:])
        messages.append({"role": "user", "content": dice.choice(questions)})
        ids = [f"{dice.getrandbits(128):032x}" for _ in range(2)]
        yield Conversation(
            _json({"workflow": "docs-qa", "messages": messages, "conversation_id": ids[0]}),
            _json(
                {
                    "status": 200,
                    "body": {"trace_id": ids[1], "status": "done", "output": answer()},
                }
            ),
        )


def _task(number: int, one: Conversation) -> NewTask:
    # a random id, as they are in service: one that counts up would pack better
    dice = random.Random(number)
    return NewTask(f"{dice.getrandbits(128):032x}", "docs-qa", one.asked, 0.0, 1e9, key=str(number))


def _json(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _stored(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
