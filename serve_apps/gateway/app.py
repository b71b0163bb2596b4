"""The gateway's Serve application: thin, because every request passes through it."""

import asyncio
import contextlib
import logging
import time
import uuid
from pathlib import Path
from typing import Any

import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from engine.books.secret import sign, workspace_secret
from engine.errors import (
    ClusterError,
    ConfigError,
    DeadlineError,
    NotFoundError,
    StoreFullError,
    TrimtabError,
    UpstreamError,
)
from engine.workflow.router import intent
from serve_apps.gateway.dispatch import Dispatcher
from serve_apps.gateway.feedback import feedback_row
from serve_apps.gateway.protocol import (
    MAX_BODY_BYTES,
    Json,
    chat_completion,
    decision_of,
    error_response,
    failed,
    json_response,
    messages_of,
    native_body,
    parsed,
    text_of,
)
from serve_apps.gateway.rows import exposure_row, kept_text, trace_row
from serve_apps.gateway.traffic import Route, Traffic
from serve_apps.names import CONTROL, NAMESPACE
from serve_apps.outcome import unanswered
from serve_apps.recorder import Recorder

WATCH_S = 10.0
RETRY_S = 0.2
BEGIN_S = 10.0

log = logging.getLogger("ray.serve")


class Gateway:
    """Assigns, records, dispatches, records, answers; it knows no ledger and takes no lock."""

    def __init__(self, root: str, slots: list[str]) -> None:
        self._secret = workspace_secret(Path(root))
        self._traffic = Traffic(self._secret)
        self._recorder = Recorder(Path(root))
        self._dispatcher = Dispatcher(slots)
        self._begun = asyncio.Event()
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def __call__(self, request: Request) -> Response:
        """Answer one HTTP request; every error has OpenAI's shape."""
        try:
            return await self._routed(request)
        except NotFoundError as error:
            return error_response(404, "not_found", str(error))
        except ConfigError as error:
            return error_response(400, "invalid_request", str(error))
        except ClusterError as error:
            return error_response(503, "starting", str(error), {"retry-after": "1"})
        except UpstreamError as error:
            return error_response(502, "replica_died", str(error), {"retry-after": "1"})
        except StoreFullError as error:
            return error_response(503, "storage_full", str(error), {"retry-after": "5"})

    async def _routed(self, request: Request) -> Response:
        path, method = request.url.path, request.method
        if path == "/healthz" and method == "GET":
            return self._health()
        if method == "GET" and path.startswith("/v1/workflows/") and path.endswith("/questions"):
            return await self._questions(path[len("/v1/workflows/") : -len("/questions")])
        if method != "POST":
            return error_response(405, "method_not_allowed", f"{method} {path}: use POST")
        body = await request.body()
        if len(body) > MAX_BODY_BYTES:
            return error_response(413, "too_large", f"a body holds at most {MAX_BODY_BYTES} bytes")
        said = parsed(body)
        await self._has_begun()
        if path == "/v1/chat/completions":
            return await self._chat(request, said)
        if path == "/v1/feedback":
            return await self._feedback(said)
        if path.startswith("/v1/workflows/"):
            name, _, rest = path.removeprefix("/v1/workflows/").partition("/")
            if rest == "run":
                return await self._native(request, name, said)
            if rest.startswith("questions/"):
                return await self._decide(name, rest.removeprefix("questions/"), said)
        return error_response(404, "not_found", f"there is nothing at {path}")

    async def _has_begun(self) -> None:
        """A replica that was just started waits for its first snapshot before it assigns."""
        if not self._begun.is_set():
            try:
                async with asyncio.timeout(BEGIN_S):
                    await self._begun.wait()
            except TimeoutError as error:
                raise ClusterError("this gateway has no snapshot yet; retry shortly") from error

    def _health(self) -> Response:
        if self._traffic.snapshot is None:
            body = {"status": "starting", "reason": "no snapshot yet"}
            return json_response(body, 503, {"retry-after": "1"})
        return json_response({"status": "ok", "revision": self._traffic.revision})

    async def _chat(self, request: Request, said: Json) -> Response:
        name = said.get("model")
        if not isinstance(name, str):
            raise ConfigError("`model` must be the name of a workflow")
        if said.get("stream"):
            raise ConfigError("`stream` is not offered yet; leave it out or send false")
        metadata = said.get("metadata") or {}
        if not isinstance(metadata, dict):
            raise ConfigError("`metadata` must be an object")
        conversation = str(metadata.get("conversation_id", ""))
        return await self._serve(request, name, messages_of(said), conversation)

    async def _native(self, request: Request, name: str, said: Json) -> Response:
        given = said.get("input")
        if isinstance(given, str):
            messages: list[Json] = [{"role": "user", "content": given}]
        elif isinstance(given, dict):
            messages = [{"role": "user", "content": text_of(given)}]
        else:
            messages = messages_of(said)
        conversation = str(said.get("conversation_id", ""))
        inputs = given if isinstance(given, dict) else None
        return await self._serve(request, name, messages, conversation, given=inputs, native=True)

    async def _serve(
        self,
        request: Request,
        name: str,
        messages: list[Json],
        conversation: str,
        *,
        given: Json | None = None,
        native: bool = False,
    ) -> Response:
        started, at = time.perf_counter(), time.time()
        fresh_id, segment = uuid.uuid4().hex, intent(messages[-1]["content"])
        route = self._traffic.route(
            name,
            request.headers.get("x-trimtab-conversation", conversation),
            fresh_id[:16],
            at,
            segment=segment,
            forced=request.headers.get("x-trimtab-variant", ""),
        )
        trace_id = sign(self._secret, fresh_id)
        await self._recorder.exposure(exposure_row(trace_id, route, at) | {"segment": segment})
        asked = {"id": fresh_id, "messages": messages, "given": given}
        answer = await self._answered(route, asked)
        duration_s = time.perf_counter() - started
        overhead_s = max(duration_s - answer["work_s"], 0.0)
        row = trace_row(trace_id, route, at, duration_s, overhead_s, answer) | {"segment": segment}
        if self._traffic.workflow(name).record_text:
            row |= {"question": messages[-1]["content"], "answer": kept_text(answer["text"])}
        await self._recorder.trace(row)
        headers = {
            "x-trimtab-variant": route.served,
            "x-trimtab-trace-id": trace_id,
            "x-trimtab-conversation": route.conversation.signed(self._secret),
            "x-trimtab-overhead-ms": f"{overhead_s * 1e3:.2f}",
        }
        if answer["status"] != "ok":
            return failed(answer, headers)
        if answer["degraded"]:
            headers["x-trimtab-degraded"] = ",".join(answer["degraded"])
        if native:
            body = {
                "trace_id": trace_id,
                "conversation_id": headers["x-trimtab-conversation"],
                "variant": route.served,
                "segment": segment,
            }
            status = 202 if answer["questions"] else 200
            return json_response(body | native_body(answer), status, headers)
        return json_response(chat_completion(trace_id, at, name, answer), headers=headers)

    async def _questions(self, name: str) -> Response:
        slot = self._traffic.baseline_slot(name)
        return json_response({"questions": await self._dispatcher.questions(slot, name)})

    async def _decide(self, name: str, question: str, said: Json) -> Response:
        slot = self._traffic.baseline_slot(name)
        answer = await self._dispatcher.decide(slot, name, question, decision_of(said))
        if answer["status"] != "ok":
            return failed(answer)
        return json_response(native_body(answer), 202 if answer["questions"] else 200)

    async def _answered(self, route: Route, asked: Json) -> Json:
        """The slot's answer, or what it failed with: a failure is an outcome of its variant."""
        workflow = self._traffic.workflow(route.workflow)
        try:
            return await self._dispatcher.answer(
                route, asked, workflow.timeout_s, idempotent=workflow.idempotent
            )
        except DeadlineError as error:
            return unanswered("timeout", "timeout", str(error))
        except UpstreamError as error:
            return unanswered("error", "replica_died", str(error))

    async def _feedback(self, said: Json) -> Response:
        at = time.time()
        if "items" not in said:
            row = feedback_row(said, self._secret, at)
            outcome = (await self._recorder.feedback([row]))[0]
            if outcome == "conflict":
                message = f"idempotency key {row['key']!r} was used before with another body"
                return error_response(409, "conflict", message)
            return json_response({"status": outcome, "feedback_id": row["key"]})
        if not isinstance(said["items"], list):
            raise ConfigError("`items` must be a list of feedback objects")
        return json_response({"items": await self._feedback_items(said["items"], at)})

    async def _feedback_items(self, items: list[Any], at: float) -> list[Json]:
        rows: dict[int, Json] = {}
        answers: dict[int, Json] = {}
        for number, item in enumerate(items):
            try:
                if not isinstance(item, dict):
                    raise ConfigError(f"items[{number}] must be an object")
                rows[number] = feedback_row(item, self._secret, at)
            except TrimtabError as error:
                answers[number] = {"status": "refused", "message": str(error)}
        outcomes = await self._recorder.feedback(list(rows.values()))
        for (number, row), outcome in zip(rows.items(), outcomes, strict=True):
            answers[number] = {"status": outcome, "feedback_id": row["key"]}
        return [answers[number] for number in range(len(items))]

    async def _watch(self) -> None:
        """Follow the control actor; while it is away the last snapshot stays in force."""
        while True:
            try:
                control = await asyncio.to_thread(ray.get_actor, CONTROL, NAMESPACE)
                while True:
                    snapshot = await control.watch.remote(self._traffic.revision, WATCH_S)
                    if snapshot is not None:
                        self._traffic.snapshot = snapshot
                        self._begun.set()
            except Exception as error:  # noqa: BLE001 - logged, and tried again
                # Whatever it was, a gateway that stopped watching would serve the past for ever.
                log.warning("the control actor can't be watched: %r; trying again", error)
                await asyncio.sleep(RETRY_S)

    async def __del__(self) -> None:
        self._watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watching
        self._recorder.close()


def gateway_app(root: Path, slots: list[str], replicas: int) -> serve.Application:
    """The gateway as a Serve application with a fixed number of replicas."""
    deployment = serve.deployment(
        name="Gateway",
        num_replicas=replicas,
        max_ongoing_requests=1_000,
        max_queued_requests=2_000,
        ray_actor_options={"num_cpus": 0.1},
        health_check_period_s=2.0,
        graceful_shutdown_timeout_s=10.0,
    )
    return deployment(Gateway).bind(str(root), slots)
