"""What clients may do with tasks: submit, look, fetch, list, cancel."""

import asyncio
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Mapping
from typing import get_args

from engine.books.group import GroupCommit
from engine.books.secret import sign, verified
from engine.books.task import NewTask, State, Submitted, Task
from engine.books.tasks import TaskBook
from engine.config.tasks import TaskSettings
from engine.errors import ConfigError, NotFoundError
from serve_apps.told import Json, Told, error_body

Check = Callable[[str, Json], None]
"""Refuses what the named workflow could never be asked, by ConfigError or NotFoundError."""

KEYS = ("workflow", "input", "messages", "conversation_id", "idempotency_key", "timeout_s")
STATES: tuple[State, ...] = get_args(State)
LONGEST_KEY = 200
MOST_LISTED = 1_000
RETRY_AFTER_S = 5
"""When a full queue may have room again: as long as a few answers take."""
LOOK_AFTER_S = 1
"""When to ask again for a result that isn't there yet."""


class TaskDesk:
    """Takes tasks for the book, several at one commit, and tells how they stand."""

    def __init__(
        self,
        book: TaskBook,
        secret: bytes,
        settings: TaskSettings,
        check: Check,
        *,
        woken: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._book = book
        self._secret = secret
        self._settings = settings
        self._check = check
        self._woken = woken
        self._clock = clock
        self._commits: GroupCommit[NewTask, Submitted] = GroupCommit(book.submit)

    async def submit(self, said: Json, key: str = "") -> Told:
        """Take a task: 202 once it is on disk, 409 for a key with another body, 429 when full.

        Raises:
            ConfigError, NotFoundError: It could never be answered.
            StoreFullError: It can't be put on record now.
        """
        task = self._new(said, owner_of(key))
        submitted = await self._commits.hand(task)
        if submitted.outcome == "conflict":
            why = f"idempotency key {task.key!r} was used before with another body"
            return error(409, "conflict", why)
        if submitted.outcome == "full":
            why = "the queue of tasks is full; retry later"
            return error(429, "queue_full", why, {"retry-after": str(RETRY_AFTER_S)})
        self._woken()
        if submitted.outcome == "known":
            return Told(202, self._body(await self._status(submitted.id)))
        return Told(202, {"id": self._signed(submitted.id), "status": "queued"})

    async def status(self, task_id: str) -> Told:
        """How a task stands; 410 once it isn't kept any more.

        Raises:
            NotFoundError: The id was never given out here.
        """
        id = self._id(task_id)
        try:
            return Told(200, self._body(await self._status(id)))
        except NotFoundError:
            return Told(410, {"id": task_id, "status": "expired"})

    async def result(self, task_id: str) -> Told:
        """What a task was answered, under the status that the request itself would have got.

        202 while it is open, 409 when it was cancelled, 410 when it expired or isn't kept.

        Raises:
            NotFoundError: The id was never given out here.
        """
        id = self._id(task_id)
        try:
            task = await self._status(id)
            kept = await asyncio.to_thread(self._book.result, id)
        except NotFoundError:
            return error(410, "expired", f"task {task_id} is not kept any more")
        if kept is not None:
            answer = json.loads(kept)
            return Told(answer["status"], {"id": task_id} | answer["body"])
        match task.state:
            case "queued" | "running" | "done":
                return Told(202, self._body(task), {"retry-after": str(LOOK_AFTER_S)})
            case "failed":
                return error(502, task.reason or "failed", _why(task))
            case "cancelled":
                return error(409, "cancelled", f"task {task_id} was cancelled")
            case "expired":
                return error(410, "expired", f"task {task_id} was not done in its time")

    async def cancel(self, task_id: str) -> Told:
        """Cancel a task that hasn't ended; one that has stays as it is.

        Raises:
            NotFoundError: The id was never given out here.
        """
        id = self._id(task_id)
        try:
            task = await asyncio.to_thread(self._book.cancel, id, self._clock())
        except NotFoundError:
            return Told(410, {"id": task_id, "status": "expired"})
        self._woken()
        return Told(200, self._body(task))

    async def listed(
        self, key: str = "", *, workflow: str = "", status: str = "", limit: str = ""
    ) -> Told:
        """The tasks of a client's key, the newest first.

        Raises:
            ConfigError: There is no such status, or the limit is no number.
        """
        state = next((one for one in STATES if one == status), None)
        if status and state is None:
            raise ConfigError(f"`status` is {status!r}; it must be one of {', '.join(STATES)}")
        if limit and not (limit.isdecimal() and 0 < int(limit) <= MOST_LISTED):
            raise ConfigError(f"`limit` is {limit!r}; it must be from 1 to {MOST_LISTED}")
        tasks = await asyncio.to_thread(
            self._book.owned,
            owner_of(key),
            workflow=workflow or None,
            state=state,
            most=int(limit or 100),
        )
        return Told(200, {"tasks": [self._body(task) for task in tasks]})

    def close(self) -> None:
        """Write what waits; the book stays open."""
        self._commits.close()

    def _new(self, said: Json, owner: str) -> NewTask:
        unknown = sorted(set(said) - set(KEYS))
        if unknown:
            raise ConfigError(f"unknown key {unknown[0]!r}; a task holds {', '.join(KEYS)}")
        workflow, key = said.get("workflow"), said.get("idempotency_key")
        if not isinstance(workflow, str):
            raise ConfigError("`workflow` must be the name of a workflow")
        if key is not None and not (isinstance(key, str) and 0 < len(key) <= LONGEST_KEY):
            raise ConfigError(f"`idempotency_key` must be text of 1 to {LONGEST_KEY} characters")
        asked = {name: said[name] for name in KEYS if name in said and name != "idempotency_key"}
        self._check(workflow, asked)
        now = self._clock()
        return NewTask(
            id=uuid.uuid4().hex,
            workflow=workflow,
            asked=json.dumps(asked, ensure_ascii=False, separators=(",", ":")).encode(),
            submitted_at=now,
            deadline_at=now + self._timeout_s(said),
            owner=owner,
            key=key,
        )

    def _timeout_s(self, said: Json) -> float:
        most_s = self._settings.timeout_s
        timeout_s = said.get("timeout_s", most_s)
        if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float):
            raise ConfigError("`timeout_s` must be a number of seconds")
        if not 0.0 < timeout_s <= most_s:
            raise ConfigError(f"`timeout_s` is {timeout_s}; it must be above 0, at most {most_s:g}")
        return float(timeout_s)

    async def _status(self, id: str) -> Task:
        return await asyncio.to_thread(self._book.status, id)

    def _signed(self, id: str) -> str:
        return sign(self._secret, f"task-{id}")

    def _id(self, task_id: str) -> str:
        text = verified(self._secret, task_id)
        if text is None or not text.startswith("task-"):
            raise NotFoundError(f"task {task_id!r} was never given out here")
        return text.removeprefix("task-")

    def _body(self, task: Task) -> Json:
        body: Json = {
            "id": self._signed(task.id),
            "workflow": task.workflow,
            "status": task.state,
            "submitted_at": task.submitted_at,
            "started_at": task.started_at,
            "ended_at": task.ended_at,
            "deadline_at": task.deadline_at,
            "attempts": task.attempts,
        }
        return body if task.reason is None else body | {"reason": task.reason}


def owner_of(key: str) -> str:
    """Who owns what was submitted with this API key; the key itself is not kept."""
    return hashlib.sha256(key.encode()).hexdigest()[:16] if key else ""


def error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Told:
    """An answer that says what went wrong."""
    return Told(status, error_body(status, code, message), headers or {})


def _why(task: Task) -> str:
    if task.reason == "attempts":
        return f"{task.attempts} workers died over this task"
    return "this task can't be read any more"
