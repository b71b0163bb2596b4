"""Clients that ask at a steady rate, whatever becomes of the server, and write everything down.

The loop is open: a request is sent when it is due, not when another was answered, so a server that
stands still is not spared. They live in a process of their own and know nothing but the URL.
"""

import asyncio
import json
import random
import sys
import time
import uuid
from pathlib import Path
from typing import Any, TextIO

import aiohttp
from pydantic import BaseModel, ConfigDict

from cluster.chaos.journal import Ping, Rating, Try, line_of

LONGEST_WAIT_S = 5.0
"""A client waits no longer than this before its second try, whatever the server asks for."""
PAUSE_S = 0.5
"""Before a second try where the server asks for no wait."""
REMEMBERED = 200
"""Conversations that may go on."""


class Habits(BaseModel):
    """How the clients behave."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    workflow: str
    journal: str
    rate: float = 20.0
    """Requests a second."""
    goes_on: float = 0.4
    """Share of requests that belong to a conversation which was begun before."""
    rated: float = 0.3
    again: float = 0.2
    """Share of ratings that are sent a second time."""
    other: float = 0.1
    """Share of ratings that are sent a second time with another score."""
    timeout_s: float = 15.0
    seed: int = 0


class Pinger:
    """Asks until it is told to stop."""

    def __init__(self, habits: Habits, journal: TextIO, session: aiohttp.ClientSession) -> None:
        self._habits = habits
        self._journal = journal
        self._session = session
        self._dice = random.Random(habits.seed)
        self._conversations: list[str] = []
        self._number = 0

    async def live(self, stop: asyncio.Event) -> None:
        """Send a request whenever one is due; at the end wait for those under way."""
        due = time.monotonic()
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                due += self._dice.expovariate(self._habits.rate)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                group.create_task(self._ping())

    async def _ping(self) -> None:
        self._number += 1
        id_ = f"{self._habits.seed}-{self._number}"
        conversation = ""
        if self._conversations and self._dice.random() < self._habits.goes_on:
            conversation = self._dice.choice(self._conversations)
        rated = self._dice.random() < self._habits.rated
        first, wait_s = await self._ask(id_, conversation)
        tries = [first]
        if (not first.is_ok and first.kind != "4xx") or first.status == 429:
            await asyncio.sleep(min(wait_s, LONGEST_WAIT_S))
            tries.append((await self._ask(id_, conversation))[0])
        ping = Ping(id=id_, tries=tuple(tries))
        self._journal.write(line_of(ping))
        if ping.last.is_ok and rated:
            await self._rate(ping.last.trace_id)

    async def _ask(self, id_: str, conversation: str) -> tuple[Try, float]:
        """One exchange, and how long to wait before another."""
        said = f"ping {id_}."
        body = {"model": self._habits.workflow, "messages": [{"role": "user", "content": said}]}
        headers = {"x-trimtab-conversation": conversation} if conversation else {}
        began_at = time.time()
        try:
            async with self._session.post(
                f"{self._habits.url}/v1/chat/completions", json=body, headers=headers
            ) as response:
                text = await response.text()
        except TimeoutError:
            return Try(began_at=began_at, ended_at=time.time(), status=0, code="timeout"), PAUSE_S
        except aiohttp.ClientError:
            ended_at = time.time()
            return Try(began_at=began_at, ended_at=ended_at, status=0, code="connection"), PAUSE_S
        answer = _read(text)
        self._remember(response.headers.get("x-trimtab-conversation", ""))
        found = Try(
            began_at=began_at,
            ended_at=time.time(),
            status=response.status,
            code="" if response.status == 200 else _code(answer),
            trace_id=response.headers.get("x-trimtab-trace-id", ""),
            variant=response.headers.get("x-trimtab-variant", ""),
            echoed=response.status != 200 or said in _content(answer),
        )
        return found, _wait_s(response.headers.get("retry-after", ""))

    def _remember(self, conversation: str) -> None:
        if not conversation:
            return
        if len(self._conversations) < REMEMBERED:
            self._conversations.append(conversation)
        else:
            self._conversations[self._dice.randrange(REMEMBERED)] = conversation

    async def _rate(self, trace_id: str) -> None:
        score, key = float(self._dice.randrange(2)), uuid.uuid4().hex
        told = await self._send(Rating(key=key, trace_id=trace_id, score=score, at=0.0, status=0))
        if told.status != 200:
            return
        chance = self._dice.random()
        if chance < self._habits.again:
            await self._send(told.model_copy(update={"again": True}))
        elif chance < self._habits.again + self._habits.other:
            await self._send(told.model_copy(update={"other": True, "score": 1.0 - score}))

    async def _send(self, rating: Rating) -> Rating:
        body = {
            "trace_id": rating.trace_id,
            "score": rating.score,
            "idempotency_key": rating.key,
        }
        status, said = 0, ""
        try:
            url = f"{self._habits.url}/v1/feedback"
            async with self._session.post(url, json=body) as response:
                answer = _read(await response.text())
                status = response.status
                said = str(answer.get("status", "")) or _code(answer)
        except (aiohttp.ClientError, TimeoutError):
            pass
        told = rating.model_copy(update={"at": time.time(), "status": status, "said": said})
        self._journal.write(line_of(told))
        return told


def _read(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _code(answer: dict[str, Any]) -> str:
    error = answer.get("error")
    return str(error.get("code", "")) if isinstance(error, dict) else "no_error_object"


def _content(answer: dict[str, Any]) -> str:
    choices = answer.get("choices") or [{}]
    return str((choices[0].get("message") or {}).get("content", ""))


def _wait_s(asked: str) -> float:
    try:
        return float(asked)
    except ValueError:
        return PAUSE_S


async def _main(habits: Habits, journal: TextIO) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # The parent closes our standard input when it is done, or dies: either way we stop.
    reader = loop.run_in_executor(None, sys.stdin.read)
    reader.add_done_callback(lambda _: stop.set())
    timeout = aiohttp.ClientTimeout(total=habits.timeout_s)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        await Pinger(habits, journal, session).live(stop)


if __name__ == "__main__":
    given = Habits.model_validate_json(sys.argv[1])
    with Path(given.journal).open("a", encoding="utf-8", buffering=1) as book:
        asyncio.run(_main(given, book))
