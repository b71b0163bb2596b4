import asyncio

import grpc
import pytest
from google.protobuf import json_format
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from serve_apps.grpc import agent_service_pb2 as pb
from serve_apps.grpc import agent_service_pb2_grpc as wire
from serve_apps.grpc.generate import PROTO, ROOT, generated
from serve_apps.grpc.service import CODES, AgentServiceMethods
from serve_apps.told import Told


class Desk:
    """A gateway that says what it is told to say, and remembers what it was asked."""

    def __init__(self):
        self.asked, self.replies, self.events = [], [], []
        self.left = asyncio.Event()

    async def ask(self, method, path, said, headers):
        self.asked.append((method, path, said, headers.get("authorization")))
        return self.replies.pop(0)

    async def tell(self, workflow, said, headers):
        self.asked.append(("TELL", workflow, said, headers.get("authorization")))
        try:
            for event in self.events:
                yield event
            if not self.events:
                yield "begun", {}
                await asyncio.Event().wait()
        finally:
            self.left.set()


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
async def channel(desk):
    methods = AgentServiceMethods()
    methods.door = desk
    server = grpc.aio.server()
    wire.add_AgentServiceServicer_to_server(methods, server)
    names = (pb.DESCRIPTOR.services_by_name["AgentService"].full_name, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


@pytest.fixture
def client(channel):
    return wire.AgentServiceStub(channel)


def error(message="why", code="code"):
    return {"error": {"message": message, "type": "t", "code": code, "param": None}}


async def failure(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def test_a_workflow_is_run_as_over_http(client, desk):
    desk.replies = [
        Told(200, {"status": "done", "output": "so", "trace_id": "t", "segment": "s", "x": [1]})
    ]
    request = pb.ExecuteTaskRequest(
        workflow="w", messages=[pb.Message(role="user", content="why?")], conversation_id="c"
    )

    reply = await client.ExecuteTask(request, metadata=[("authorization", "Bearer k")])

    assert desk.asked == [
        (
            "POST",
            "/v1/workflows/w/run",
            {"messages": [{"role": "user", "content": "why?"}], "conversation_id": "c"},
            "Bearer k",
        )
    ]
    assert (reply.status, reply.output.string_value, reply.trace_id) == ("done", "so", "t")


async def test_named_inputs_and_outputs_keep_their_shape(client, desk):
    given = {"n": 3, "share": 0.5, "deep": {"names": ["a"], "none": None, "is": True}}
    desk.replies = [Told(200, {"status": "done", "output": given})]
    request = pb.ExecuteTaskRequest(workflow="w")
    json_format.ParseDict(given, request.input)

    reply = await client.ExecuteTask(request)

    assert desk.asked[0][2] == {"input": given}
    assert json_format.MessageToDict(reply.output) == given


async def test_a_text_alone_is_an_input(client, desk):
    desk.replies = [Told(200, {"status": "done", "output": None})]

    await client.ExecuteTask(pb.ExecuteTaskRequest(workflow="w", text="why?"))

    assert desk.asked[0][2] == {"input": "why?"}


async def test_a_task_is_accepted_and_its_status_tells_its_result(client, desk):
    desk.replies = [
        Told(202, {"id": "task-1", "status": "queued"}),
        Told(200, {"id": "task-1", "status": "done", "workflow": "w", "attempts": 1}),
        Told(200, {"output": "so"}),
    ]
    request = pb.ExecuteTaskRequest(
        workflow="w", text="why?", asynchronous=True, idempotency_key="k", timeout_s=5
    )

    accepted = await client.ExecuteTask(request)
    status = await client.GetStatus(pb.GetStatusRequest(task_id=accepted.task_id))

    assert [asked[:3] for asked in desk.asked] == [
        (
            "POST",
            "/v1/tasks",
            {"workflow": "w", "input": "why?", "idempotency_key": "k", "timeout_s": 5},
        ),
        ("GET", "/v1/tasks/task-1", None),
        ("GET", "/v1/tasks/task-1/result", None),
    ]
    assert (accepted.status, status.status, status.attempts) == ("queued", "done", 1)
    assert json_format.MessageToDict(status.result) == {"output": "so"}


async def test_a_running_task_has_no_result_yet(client, desk):
    desk.replies = [Told(200, {"status": "running", "attempts": 2})]

    status = await client.GetStatus(pb.GetStatusRequest(task_id="t"))

    assert (status.status, status.HasField("result")) == ("running", False)


async def test_a_failed_task_tells_its_error(client, desk):
    desk.replies = [Told(200, {"status": "failed"}), Told(504, error("too late"))]

    status = await client.GetStatus(pb.GetStatusRequest(task_id="t"))

    assert status.status == "failed"
    assert json_format.MessageToDict(status.result)["error"]["message"] == "too late"


async def test_a_task_that_is_not_kept_any_more_is_expired(client, desk):
    desk.replies = [Told(410, {"id": "t", "status": "expired"})]

    assert (await client.GetStatus(pb.GetStatusRequest(task_id="t"))).status == "expired"


async def test_a_score_of_zero_is_a_score(client, desk):
    desk.replies = [Told(200, {"status": "stored", "feedback_id": "f"})]

    reply = await client.Feedback(pb.FeedbackRequest(trace_id="t", score=0.0))

    assert desk.asked[0][2] == {"trace_id": "t", "score": 0.0}
    assert (reply.status, reply.feedback_id) == ("stored", "f")


@pytest.mark.parametrize(("status", "code"), CODES.items())
async def test_an_error_has_its_own_code_and_says_why(client, desk, status, code):
    desk.replies = [Told(status, error("why"), {"retry-after": "3", "connection": "close"})]

    told = await failure(client.ExecuteTask(pb.ExecuteTaskRequest(workflow="w")))

    assert (told.code(), told.details()) == (code, "why")
    assert ("retry-after", "3") in list(told.trailing_metadata())
    assert not [name for name, _ in told.trailing_metadata() if name == "connection"]


async def test_an_error_without_a_code_of_its_own_is_internal(client, desk):
    desk.replies = [Told(500, error()), Told(418, error())]

    for request in (pb.FeedbackRequest(trace_id="t", score=1), pb.FeedbackRequest()):
        assert (await failure(client.Feedback(request))).code() == grpc.StatusCode.INTERNAL


async def test_a_run_is_told_as_it_happens(client, desk):
    desk.events = [("begun", {"trace_id": "t"}), ("chunk", {"text": "s"}), ("done", {"n": 1})]

    call = client.ExecuteTaskStream(pb.ExecuteTaskRequest(workflow="w", text="why?"))
    told = [(event.kind, json_format.MessageToDict(event.said)) async for event in call]

    assert told == desk.events
    assert desk.asked == [("TELL", "w", {"input": "why?"}, None)]


@pytest.mark.parametrize("before", [[], [("begun", {})]])
async def test_a_stream_ends_with_the_code_of_its_error(client, desk, before):
    desk.events = [*before, ("error", error("late") | {"status": 504})]

    call = client.ExecuteTaskStream(pb.ExecuteTaskRequest(workflow="w"))
    kinds = [(await call.read()).kind for _ in before]
    told = await failure(call.read())

    assert kinds == [kind for kind, _ in before]
    assert told.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert told.details().endswith("late")


async def test_whoever_stops_listening_ends_the_run(client, desk):
    call = client.ExecuteTaskStream(pb.ExecuteTaskRequest(workflow="w"))
    await call.read()

    call.cancel()

    async with asyncio.timeout(20):
        await desk.left.wait()
    assert call.cancelled()


async def test_the_service_describes_itself_where_reflection_is_on(channel):
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)

    told = await stub.ServerReflectionInfo(iter([asked])).read()

    assert "trimtab.v1.AgentService" in {one.name for one in told.list_services_response.service}


def test_the_generated_modules_are_those_of_the_proto_file(tmp_path):
    for file in generated(tmp_path):
        assert file.read_text() == (ROOT / PROTO).parent.joinpath(file.name).read_text()
