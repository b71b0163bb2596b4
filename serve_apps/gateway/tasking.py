"""Tasks as the gateway offers them: taken in by any replica, done by whichever has room."""

import json
from contextlib import aclosing
from pathlib import Path
from urllib.parse import parse_qsl

from engine.books.task import Claimed
from engine.books.tasks import TaskBook
from engine.config.tasks import TaskSettings
from engine.errors import ClusterError
from serve_apps.gateway.asgi import Incoming
from serve_apps.gateway.call import Answered, Json
from serve_apps.gateway.desk import Desk
from serve_apps.gateway.front import Route, run_body
from serve_apps.gateway.protocol import Reply, json_reply, parsed, status_of
from serve_apps.gateway.reading import native_call
from serve_apps.gateway.seen import Seen
from serve_apps.gateway.traffic import Traffic
from serve_apps.tasks.desk import TaskDesk
from serve_apps.tasks.worker import Answer, TaskWorker
from serve_apps.told import Told, error_body


class Tasking:
    """One gateway's part in the workspace's tasks."""

    def __init__(
        self,
        root: Path,
        secret: bytes,
        desk: Desk,
        traffic: Traffic,
        seen: Seen,
        settings: TaskSettings,
    ) -> None:
        self._desk = desk
        self._traffic = traffic
        path, masking = root / "tasks.db", seen.masking
        self._book = TaskBook(path, capacity=settings.capacity, masking=masking)
        self._worker = TaskWorker(self._book, self._work, settings, watcher=seen.tasks)
        self._tasks = TaskDesk(self._book, secret, settings, self._check, woken=self._worker.wake)

    @property
    def routes(self) -> list[Route]:
        """What is offered over HTTP."""
        return [
            ("POST", "/v1/tasks", self._submit),
            ("GET", "/v1/tasks", self._listed),
            ("GET", "/v1/tasks/{}", self._status),
            ("GET", "/v1/tasks/{}/result", self._result),
            ("DELETE", "/v1/tasks/{}", self._cancel),
        ]

    async def close(self) -> None:
        """Finish what can be finished, give the rest back."""
        await self._worker.close()
        self._tasks.close()
        self._book.close()

    async def _submit(self, request: Incoming) -> Reply:
        await self._traffic.has_begun()
        return _reply(await self._tasks.submit(parsed(request.body), request.key))

    async def _listed(self, request: Incoming) -> Reply:
        asked = dict(parse_qsl(request.query))
        return _reply(
            await self._tasks.listed(
                request.key,
                workflow=asked.get("workflow", ""),
                status=asked.get("status", ""),
                limit=asked.get("limit", ""),
            )
        )

    async def _status(self, request: Incoming) -> Reply:
        return _reply(await self._tasks.status(request.params[0]))

    async def _result(self, request: Incoming) -> Reply:
        return _reply(await self._tasks.result(request.params[0]))

    async def _cancel(self, request: Incoming) -> Reply:
        return _reply(await self._tasks.cancel(request.params[0]))

    def _check(self, workflow: str, asked: Json) -> None:
        self._traffic.workflow(workflow)
        native_call(Incoming("POST", "", "", {}, b""), workflow, asked)

    async def _work(self, claimed: Claimed) -> Answer:
        asked = json.loads(claimed.asked)
        request = Incoming("POST", "", "", {}, b"")
        call = native_call(request, claimed.workflow, asked, run=claimed.id)
        answered: Answered | None = None
        # heard out, not waited for: whoever stops listening ends the work
        async with aclosing(self._desk.events(call)) as events:
            async for kind, told in events:
                if kind == "end":
                    answered = told["answered"]
        if answered is None:
            raise ClusterError("this gateway fell behind the workflow's events; trying again")
        outcome = answered.outcome
        if answered.status == "ok":
            return Answer(status_of(outcome), run_body(answered))
        status = status_of(outcome)
        return Answer(status, error_body(status, outcome["error"], outcome["message"]))


def _reply(told: Told) -> Reply:
    return json_reply(told.body, told.status, told.headers)
