"""The gateway over gRPC: through Serve's ingress, whichever proxy stands before it."""

import time

import grpc
import pytest
from google.protobuf import json_format

from serve_apps.grpc import agent_service_pb2 as pb
from serve_apps.grpc import agent_service_pb2_grpc as wire
from serve_apps.names import GATEWAY

pytestmark = pytest.mark.serve

QUESTION = "Which exception does the assert statement raise when its condition is false?"
ASKED = pb.ExecuteTaskRequest(workflow="docs-qa", text=QUESTION)
TO_GATEWAY = (("application", GATEWAY),)


@pytest.fixture
def client(served):
    with grpc.insecure_channel(served.grpc) as channel:
        yield wire.AgentServiceStub(channel)


def call(method, request):
    return method(request, metadata=TO_GATEWAY, timeout=30)


def test_a_workflow_is_run(client):
    reply = call(client.ExecuteTask, ASKED)

    assert reply.status == "done"
    assert reply.output.string_value
    assert reply.trace_id


def test_a_run_is_told_as_it_happens(client):
    told = list(call(client.ExecuteTaskStream, ASKED))

    assert (told[0].kind, told[-1].kind) == ("begun", "done")
    assert json_format.MessageToDict(told[-1].said)["output"]


def test_a_task_is_accepted_and_asked_for_later(client):
    request = pb.ExecuteTaskRequest(workflow="docs-qa", text=QUESTION, asynchronous=True)

    accepted = call(client.ExecuteTask, request)

    give_up = time.monotonic() + 30.0
    asked = pb.GetStatusRequest(task_id=accepted.task_id)
    while (status := call(client.GetStatus, asked)).status != "done":
        assert time.monotonic() < give_up
        time.sleep(0.1)
    assert json_format.MessageToDict(status.result)["output"]


def test_feedback_is_kept_once(client):
    trace_id = call(client.ExecuteTask, ASKED).trace_id
    request = pb.FeedbackRequest(trace_id=trace_id, score=0.0)

    outcomes = [call(client.Feedback, request).status for _ in range(2)]

    assert outcomes == ["stored", "duplicate"]


def test_errors_have_their_codes(client):
    asked = [
        (client.ExecuteTask, pb.ExecuteTaskRequest(workflow="none", text="x")),
        (client.ExecuteTask, pb.ExecuteTaskRequest(workflow="docs-qa")),
        (client.GetStatus, pb.GetStatusRequest(task_id="none")),
        (client.Feedback, pb.FeedbackRequest(trace_id="none", score=1.0)),
    ]
    codes = []
    for method, request in asked:
        with pytest.raises(grpc.RpcError) as caught:
            call(method, request)
        codes.append(caught.value.code())

    assert codes == [
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.NOT_FOUND,
    ]


def test_a_stream_that_can_not_begin_says_why(client):
    with pytest.raises(grpc.RpcError) as caught:
        list(call(client.ExecuteTaskStream, pb.ExecuteTaskRequest(workflow="none", text="x")))

    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert "none" in caught.value.details()
