"""What a workspace's files hold of its users' texts where stored texts are masked."""

import asyncio
import json
import sqlite3

import httpx2
import pytest

from engine.testing.faults.outcomes import Answer
from engine.testing.faults.script import Match, Rule, Script
from tests.serve_apps.gateway.ground import ground, stored

ASKED = "is 4111 1111 1111 1111 mine?\n13912345678 is my phone"
MASKED = "is [card] mine?\n[phone] is my phone"
STORED = {"observability": {"masking": {"stored": True}}}
EITHER = pytest.mark.parametrize(("settings", "text"), [(STORED, MASKED), ({}, ASKED)])
REVIEWED = {
    "input": {"question": "text"},
    "nodes": {
        "answer": {"type": "agent", "pattern": "draft_review", "say": "{{ input.question }}"}
    },
    "output": "answer.text",
}
REVIEW = Script(
    rules=(
        Rule(
            match=Match(says="The draft:"),
            outcome=Answer(text=json.dumps({"approved": True, "remarks": ASKED})),
        ),
    )
)


async def posted(place, path, said):
    async with httpx2.AsyncClient(base_url=place.url) as http:
        answer = await http.post(path, json=said)
    assert answer.status_code < 300, answer.text
    return answer.json()


async def result(place, id):
    async with asyncio.timeout(20), httpx2.AsyncClient(base_url=place.url) as http:
        while (answer := await http.get(f"/v1/tasks/{id}/result")).status_code == 202:  # noqa: ASYNC110 - what is waited for lies in a book
            await asyncio.sleep(0.02)
    return answer.json()


@EITHER
async def test_a_traces_question_and_answer_are_kept_masked_and_answered_as_they_are(
    tmp_path, settings, text
):
    async with ground(tmp_path, **settings) as place:
        answer = await posted(place, "/v1/workflows/echo/run", {"input": ASKED})

    (trace,) = stored(tmp_path, "trace").to_dicts()
    assert answer["output"] == f"You said: {ASKED}"
    assert (trace["question"], trace["answer"]) == (text, f"You said: {text}")


@EITHER
async def test_what_a_model_wrote_into_a_span_is_kept_masked(tmp_path, settings, text):
    async with ground(tmp_path, script=REVIEW, graph=REVIEWED, **settings) as place:
        await posted(place, "/v1/workflows/echo/run", {"input": ASKED})

    (trace,) = stored(tmp_path, "trace").to_dicts()
    remarks = [span["remarks"] for span in json.loads(trace["spans"]) if "remarks" in span]
    assert remarks == [text]


@pytest.mark.parametrize(("settings", "requests"), [(STORED, 0), ({}, 1)])
async def test_a_task_is_answered_unmasked_and_its_request_is_dropped(tmp_path, settings, requests):
    async with ground(tmp_path, **settings) as place:
        id = (await posted(place, "/v1/tasks", {"workflow": "echo", "input": ASKED}))["id"]
        first, again = [await result(place, id) for _ in range(2)]

    with sqlite3.connect(tmp_path / "tasks.db") as connection:
        (kept,) = connection.execute(
            "SELECT count(*) FROM tasks JOIN frames ON number = asked"
        ).fetchone()
    connection.close()
    assert first["output"] == again["output"] == f"You said: {ASKED}"
    assert kept == requests
