"""The API is what its description says, and the description is the whole API."""

import asyncio
import copy
import re
import threading

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings

from serve_apps.gateway.openapi.document import document
from tests.serve_apps.gateway.ground import GRAPH, ground

ANSWER = GRAPH["nodes"]["answer"] | {"client_tools": True}
TAKES_TOOLS = GRAPH | {"nodes": GRAPH["nodes"] | {"answer": ANSWER}}
QUESTION = {"role": "user", "content": "why?"}
HERE = {"support": "echo", "minilm": "lengths"}


def narrowed():
    """The description, with the names that there are here."""
    told = copy.deepcopy(document())
    for request, name, known in (
        ("ChatCompletionRequest", "model", ("echo",)),
        ("TaskRequest", "workflow", ("echo",)),
        ("EmbeddingsRequest", "model", ("lengths",)),
        ("EmbeddingsRequest", "dimensions", (4, None)),
        ("RunRequest", "input", ("why?", {"question": "why?"})),
    ):
        told["components"]["schemas"][request]["properties"][name] = {"enum": [*known]}
    return told


schema = schemathesis.openapi.from_dict(narrowed())


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A gateway in another thread, for a client that waits."""
    begun, over = threading.Event(), threading.Event()
    places = []

    async def serve():
        root = tmp_path_factory.mktemp("ground")
        async with ground(root, placement="inline", graph=TAKES_TOOLS) as here:
            places.append(here)
            begun.set()
            await asyncio.to_thread(over.wait)

    serving = threading.Thread(target=asyncio.run, args=(serve(),))
    serving.start()
    assert begun.wait(30.0)
    yield places[0]
    over.set()
    serving.join()


def let_the_user_end(case):
    """No schema can say of a list what its last item is."""
    said = case.body.get("messages") if isinstance(case.body, dict) else None
    if isinstance(said, list) and case.meta.generation.mode.is_positive and said[-1] != QUESTION:
        said.append(QUESTION)


@schema.parametrize()
@settings(
    max_examples=40,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_one_that_was_described(case, place):
    let_the_user_end(case)
    case.call_and_validate(base_url=place.url)


def test_every_path_has_its_description_and_every_description_its_path(place):
    offered = {(method.lower(), path) for method, path, _ in place.front.routes}
    described = {
        (method, re.sub(r"\{\w+\}", "{}", path))
        for path, methods in document()["paths"].items()
        for method in methods
    }

    assert described == offered


def test_what_is_served_is_the_description(place):
    assert requests.get(f"{place.url}/openapi.json", timeout=5).json() == document()


def test_every_example_is_answered(place):
    for path, method, said in examples():
        where = path.format(workflow="echo", question="none")

        answer = requests.request(method, place.url + where, json=said, timeout=5)

        schema[path][method].validate_response(answer)
        assert answer.status_code in (200, 202, 404), (path, answer.text)


def examples():
    """Every body that the description shows, with the names that there are here."""
    for path, methods in document()["paths"].items():
        for method, told in methods.items():
            content = told.get("requestBody", {}).get("content", {}).get("application/json", {})
            for example in content.get("examples", {}).values():
                said = {
                    name: HERE.get(str(known), known) for name, known in example["value"].items()
                }
                yield path, method.upper(), said


def test_a_task_is_described_from_its_beginning_to_its_end(place):
    said = {"workflow": "echo", "input": "why?"}
    task = checked("POST", "/v1/tasks", place, json=said)
    path = {"task": task["id"]}

    standing = checked("GET", "/v1/tasks/{task}", place, **path)
    while standing["status"] not in ("done", "failed"):
        checked("GET", "/v1/tasks/{task}/result", place, **path)
        standing = checked("GET", "/v1/tasks/{task}", place, **path)
    result = checked("GET", "/v1/tasks/{task}/result", place, **path)
    ended = checked("DELETE", "/v1/tasks/{task}", place, **path)
    listed = checked("GET", "/v1/tasks", place)

    assert result["output"] == "You said: why?"
    assert ended["status"] == "done"
    assert task["id"] in [one["id"] for one in listed["tasks"]]


def test_feedback_on_a_real_answer_is_described(place):
    run = checked(
        "POST", "/v1/workflows/{workflow}/run", place, workflow="echo", json={"input": "why?"}
    )
    said = {"trace_id": run["trace_id"], "score": 1, "idempotency_key": "once"}

    each = [
        checked("POST", "/v1/feedback", place, json=one)
        for one in (said, said, said | {"score": 0}, {"items": [said, {}, said | {"score": 0}]})
    ]

    assert [one.get("status") for one in each[:2]] == ["stored", "duplicate"]
    assert each[2]["error"]["code"] == "conflict"
    assert [one["status"] for one in each[3]["items"]] == ["duplicate", "refused", "conflict"]


def checked(method, path, place, *, json=None, **names):
    answer = requests.request(method, place.url + path.format(**names), json=json, timeout=5)
    schema[path][method].validate_response(answer)
    return answer.json()
