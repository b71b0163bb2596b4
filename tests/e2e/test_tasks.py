"""Tasks: accepted now, done when there is room, asked for later."""

import time

import httpx2
import pytest

pytestmark = pytest.mark.serve

QUESTION = "Which exception does the assert statement raise when its condition is false?"
ASKED = {"workflow": "docs-qa", "input": QUESTION}


@pytest.fixture
def http(served):
    with httpx2.Client(base_url=served.url, timeout=30) as http:
        yield http


def result_of(http, id, timeout_s=30.0):
    give_up = time.monotonic() + timeout_s
    while (answer := http.get(f"/v1/tasks/{id}/result")).status_code == 202:
        assert time.monotonic() < give_up
        assert int(answer.headers["retry-after"]) > 0
        time.sleep(0.1)
    return answer


def test_a_task_is_accepted_at_once_and_answered_as_a_run_is(http):
    accepted = http.post("/v1/tasks", json=ASKED)
    run = http.post("/v1/workflows/docs-qa/run", json={"input": QUESTION})

    answer = result_of(http, accepted.json()["id"])

    assert (accepted.status_code, accepted.json()["status"]) == (202, "queued")
    # The embedded model may choose other words the second time, as models do.
    assert answer.status_code == 200
    assert answer.json()["output"]
    assert answer.json().keys() == run.json().keys() | {"id"}


def test_a_tasks_answer_takes_feedback_as_any_other(http):
    answer = result_of(http, http.post("/v1/tasks", json=ASKED).json()["id"])

    told = http.post("/v1/feedback", json={"trace_id": answer.json()["trace_id"], "score": 1.0})

    assert told.json()["status"] == "stored"


def test_a_key_sent_again_is_the_same_task(http):
    keyed = ASKED | {"idempotency_key": f"e2e-{time.time()}"}

    first, again = (http.post("/v1/tasks", json=keyed).json()["id"] for _ in range(2))
    other = http.post("/v1/tasks", json=keyed | {"input": "another question"})

    assert first == again
    assert (other.status_code, other.json()["error"]["code"]) == (409, "conflict")


def test_what_could_never_be_answered_is_refused_at_once(http):
    assert http.post("/v1/tasks", json=ASKED | {"workflow": "none"}).status_code == 404
    assert http.post("/v1/tasks", json={"workflow": "docs-qa"}).status_code == 400
    assert http.get("/v1/tasks/task-00.0000000000000000").status_code == 404


def test_a_client_sees_its_own_tasks(http):
    mine = {"authorization": "Bearer e2e-tasks"}
    id = http.post("/v1/tasks", json=ASKED, headers=mine).json()["id"]
    result_of(http, id)

    listed = http.get("/v1/tasks?workflow=docs-qa&status=done", headers=mine)

    assert [one["id"] for one in listed.json()["tasks"]] == [id]


def test_a_cancelled_task_has_no_result(http):
    # more than is worked on at once, so that the last one still waits
    ids = [http.post("/v1/tasks", json=ASKED).json()["id"] for _ in range(60)]

    told = http.delete(f"/v1/tasks/{ids[-1]}")

    if told.json()["status"] == "cancelled":
        assert http.get(f"/v1/tasks/{ids[-1]}/result").status_code == 409
    assert {result_of(http, id).status_code for id in ids[:-1]} == {200}
