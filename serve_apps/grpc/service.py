"""The gRPC methods of the gateway: each one is what the same words over HTTP would do."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Protocol, TypeVar

import grpc  # type: ignore[import-untyped, unused-ignore]
from google.protobuf import json_format  # type: ignore[import-untyped, unused-ignore]

from engine.errors import TrimtabError
from serve_apps.grpc import agent_service_pb2 as pb
from serve_apps.told import Json, Told

Event = tuple[str, Json]
Message = TypeVar("Message")

SERVICER = "serve_apps.grpc.agent_service_pb2_grpc.add_AgentServiceServicer_to_server"
"""What Serve's gRPC ingress must be told for it to know the service."""

CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ALREADY_EXISTS,
    410: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    502: grpc.StatusCode.UNAVAILABLE,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
TRAILERS = ("x-trimtab-", "x-ratelimit-", "retry-after")
"""Headers of an answer that reach a client as trailing metadata."""


class FailedError(TrimtabError):
    """A stream can't be told to its end; its context holds the code."""


class Door(Protocol):
    """The gateway as it is reached over HTTP; errors are replies, never raised."""

    async def ask(
        self, method: str, path: str, said: Json | None, headers: Mapping[str, str]
    ) -> Told:
        """Answer one request."""

    def tell(self, workflow: str, said: Json, headers: Mapping[str, str]) -> AsyncGenerator[Event]:
        """Run a workflow: begun, plan, node and chunk, then done or `error`.

        An error's event holds its HTTP `status` and its `error` in OpenAI's shape.
        """


class Context(Protocol):
    """What is used of a call's context, be it Serve's or gRPC's own."""

    def invocation_metadata(self) -> Sequence[tuple[str, Any]]:
        """What the client sent along."""

    def set_code(self, code: grpc.StatusCode) -> None:
        """Say how the call ended."""

    def set_details(self, details: str) -> None:
        """Say why."""

    def set_trailing_metadata(self, trailing_metadata: list[tuple[str, str]]) -> None:
        """Send something along with the end."""


class AgentServiceMethods:
    """The methods of `AgentService`, for the deployment that Serve's gRPC ingress calls."""

    door: Door

    async def ExecuteTask(  # noqa: N802 - the name of the method in the proto file
        self, request: pb.ExecuteTaskRequest, grpc_context: Context
    ) -> pb.ExecuteTaskReply:
        """Run a workflow, or accept it as a task."""
        said, headers = _said(request), _headers(grpc_context)
        if request.asynchronous:
            reply = await self.door.ask("POST", "/v1/tasks", said, headers)
        else:
            path = f"/v1/workflows/{said.pop('workflow', '')}/run"
            reply = await self.door.ask("POST", path, said, headers)
        body = _body(reply, grpc_context)
        if body is None:
            return pb.ExecuteTaskReply()
        return _read(body | {"task_id": body.get("id", "")}, pb.ExecuteTaskReply())

    async def ExecuteTaskStream(  # noqa: N802
        self, request: pb.ExecuteTaskRequest, grpc_context: Context
    ) -> AsyncIterator[pb.TaskEvent]:
        """Run a workflow and tell how it goes; whoever stops listening ends it."""
        said = _said(request)
        async with aclosing(
            self.door.tell(said.pop("workflow", ""), said, _headers(grpc_context))
        ) as events:
            async for kind, told in events:
                if kind == "error":
                    _body(Told(told["status"], told), grpc_context)
                    # a stream's code reaches Serve's own proxy only with what is raised
                    raise FailedError(told["error"]["message"])
                yield _read({"kind": kind, "said": told}, pb.TaskEvent())

    async def GetStatus(  # noqa: N802
        self, request: pb.GetStatusRequest, grpc_context: Context
    ) -> pb.TaskStatus:
        """How a task stands, with its result once there is one."""
        path, headers = f"/v1/tasks/{request.task_id}", _headers(grpc_context)
        reply = await self.door.ask("GET", path, None, headers)
        # a task that isn't kept any more is an answer here, not an error
        body = reply.body if reply.status == 410 else _body(reply, grpc_context)
        if body is None:
            return pb.TaskStatus()
        told = body | {"task_id": request.task_id}
        if body["status"] in ("done", "failed"):
            result = await self.door.ask("GET", f"{path}/result", None, headers)
            told["result"] = result.body
        return _read(told, pb.TaskStatus())

    async def Feedback(  # noqa: N802
        self, request: pb.FeedbackRequest, grpc_context: Context
    ) -> pb.FeedbackReply:
        """Keep what is said of an answer."""
        said = _said(request) | {"score": request.score}
        reply = await self.door.ask("POST", "/v1/feedback", said, _headers(grpc_context))
        return _read(_body(reply, grpc_context) or {}, pb.FeedbackReply())


def _said(request: Any) -> Json:
    """A request as the JSON that HTTP would have brought; what was left out is absent."""
    said: Json = json_format.MessageToDict(request, preserving_proto_field_name=True)
    said.pop("asynchronous", None)
    if "text" in said:
        said["input"] = said.pop("text")
    return said


def _headers(context: Context) -> dict[str, str]:
    return {name: value for name, value in context.invocation_metadata() if isinstance(value, str)}


def _body(reply: Told, context: Context) -> Json | None:
    """The body of a good reply; a bad one becomes the call's status."""
    context.set_trailing_metadata(
        [(name, value) for name, value in reply.headers.items() if name.startswith(TRAILERS)]
    )
    if reply.status < 400:
        return reply.body
    # not raised, where that can be: Serve then drops the trailing metadata, and logs the stack
    context.set_code(CODES.get(reply.status, grpc.StatusCode.INTERNAL))
    context.set_details(str(reply.body["error"]["message"]))
    return None


def _read(body: Json, message: Message) -> Message:
    json_format.ParseDict(body, message, ignore_unknown_fields=True)
    return message
