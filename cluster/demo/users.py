"""Many users in many conversations: they ask over HTTP and rate what they read.

They live in a process of their own and know nothing of the product but its URL; a rating depends
on the answer's text alone. Every acknowledged id goes into a journal, to be held against the store.
"""

import asyncio
import json
import random
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import aiohttp
from pydantic import BaseModel, ConfigDict

from cluster.demo.rating import score


class Habits(BaseModel):
    """How the users behave."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    workflow: str
    questions: str
    split: str = "traffic"
    users: int = 16
    rate: float = 90.0
    """Requests a second that all users together try to send."""
    turns: tuple[int, ...] = (1, 1, 1, 2)
    """Questions a conversation holds, drawn evenly."""
    rated: float = 0.85
    """Share of answers that are rated."""
    late: float = 0.05
    """Share of ratings that come `late_s` later."""
    late_s: float = 20.0
    seed: int = 0
    duration_s: float = 3_600.0
    journal: str


def load_questions(path: Path, split: str) -> list[dict[str, Any]]:
    """The questions of one split, in the file's order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line) for line in lines if line.strip()]
    return [question for question in questions if question["split"] == split]


class Users:
    """A crowd that asks at a steady rate until it is told to stop."""

    def __init__(self, habits: Habits, journal: TextIO) -> None:
        self._habits = habits
        self._journal = journal
        self._dice = random.Random(habits.seed)
        self._questions = load_questions(Path(habits.questions), habits.split)
        self._pending: set[asyncio.Task[None]] = set()
        self.asked = 0
        self.errors = 0

    async def live(self, stop: asyncio.Event) -> None:
        """Ask until `stop` is set or the time is over; then wait for what is under way."""
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=60)
        give_up = time.monotonic() + self._habits.duration_s
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._habits.users):
                    group.create_task(self._user(session, stop, give_up))
            for task in self._pending:
                task.cancel()
            await asyncio.gather(*self._pending, return_exceptions=True)  # noqa: TID251

    async def _user(
        self, session: aiohttp.ClientSession, stop: asyncio.Event, give_up: float
    ) -> None:
        pause_s = self._habits.users / self._habits.rate
        due = time.monotonic() + self._dice.random() * pause_s
        while not stop.is_set() and time.monotonic() < give_up:
            conversation = ""
            for _ in range(self._dice.choice(self._habits.turns)):
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if stop.is_set():
                    return
                # A user who was kept waiting does not catch up: the load stays bounded.
                due = max(due + pause_s * self._dice.uniform(0.5, 1.5), time.monotonic())
                question = self._dice.choice(self._questions)
                conversation = await self._ask(session, question, conversation)

    async def _ask(
        self, session: aiohttp.ClientSession, question: dict[str, Any], conversation: str
    ) -> str:
        habits = self._habits
        body = {
            "model": habits.workflow,
            "messages": [{"role": "user", "content": question["question"]}],
        }
        headers = {"x-trimtab-conversation": conversation} if conversation else {}
        self.asked += 1
        began_at = time.time()
        try:
            async with session.post(
                f"{habits.url}/v1/chat/completions", json=body, headers=headers
            ) as response:
                trace_id = response.headers.get("x-trimtab-trace-id", "")
                ours = response.headers.get("x-trimtab-conversation", "")
                answer = await response.json()
                self._note("answer", trace_id, began_at=began_at, status=response.status)
                if response.status != 200:
                    self.errors += 1
                    return ours
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            self.errors += 1
            self._note("answer", "", began_at=began_at, status=0, error=repr(error))
            return conversation
        if self._dice.random() < habits.rated:
            text = answer["choices"][0]["message"]["content"] or ""
            delay_s = habits.late_s if self._dice.random() < habits.late else 0.0
            rating = self._rate(session, trace_id, score(text, question["facts"]), delay_s)
            task = asyncio.get_running_loop().create_task(rating)
            self._pending.add(task)
            task.add_done_callback(self._pending.discard)
        return ours

    async def _rate(
        self, session: aiohttp.ClientSession, trace_id: str, value: float, delay_s: float
    ) -> None:
        await asyncio.sleep(delay_s)
        key = uuid.uuid4().hex
        body = {"trace_id": trace_id, "score": value, "idempotency_key": key}
        try:
            async with session.post(f"{self._habits.url}/v1/feedback", json=body) as response:
                if response.status == 200:
                    self._note("feedback", key, status=200)
                else:
                    self.errors += 1
        except (aiohttp.ClientError, TimeoutError):
            self.errors += 1

    def _note(self, what: str, id_: str, **more: object) -> None:
        line = {"what": what, "id": id_, "at": time.time(), **more}
        self._journal.write(json.dumps(line) + "\n")


async def ask_forced(
    url: str, workflow: str, variants: Sequence[str], questions: Sequence[dict[str, Any]]
) -> dict[str, list[float]]:
    """Every question put to every variant by forced assignment: each answer's score, in order."""
    scores: dict[str, list[float]] = {variant: [] for variant in variants}
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for question in questions:
            for variant in variants:
                body = {
                    "model": workflow,
                    "messages": [{"role": "user", "content": question["question"]}],
                }
                async with session.post(
                    f"{url}/v1/chat/completions",
                    json=body,
                    headers={"x-trimtab-variant": variant},
                ) as response:
                    answer = await response.json()
                    text = answer["choices"][0]["message"]["content"] if response.ok else ""
                    scores[variant].append(score(text or "", question["facts"]))
    return scores


async def _main(habits: Habits, journal: TextIO) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # The parent closes our standard input when it is done, or dies: either way we stop.
    reader = loop.run_in_executor(None, sys.stdin.read)
    reader.add_done_callback(lambda _: stop.set())
    users = Users(habits, journal)
    await users.live(stop)
    sys.stdout.write(json.dumps({"asked": users.asked, "errors": users.errors}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    said = Habits.model_validate_json(sys.argv[1])
    with Path(said.journal).open("w", encoding="utf-8", buffering=1) as book:
        asyncio.run(_main(said, book))
