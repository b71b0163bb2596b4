"""Every example workflow runs as it stands, on the scripted model, with the real client."""

import time
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from engine.config.source import load
from engine.config.workflow import Workflow
from engine.errors import UpstreamError
from engine.testing import shop
from engine.testing.faults.launch import fault_model
from engine.testing.faults.script import Script
from engine.workflow.answer import Asked
from engine.workflow.building import Shared, flow_of
from engine.workflow.plan.journal import Decided

EXAMPLES = Path(__file__).parents[2] / "configs" / "examples"
CORPUS = "The manual says: hold the red button for three seconds to restart the machine."
IMAGE = "data:image/png;base64,iVBORw0KGgo="


async def even(texts):
    """Vectors by length: good enough where there is one passage."""
    vectors = np.asarray([[len(text) % 7 + 1.0] * 384 for text in texts], dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def script():
    return load(EXAMPLES / "model-script.yaml", Script)


@pytest.fixture
def shop_file(tmp_path, monkeypatch):
    path = tmp_path / "shop.db"
    shop.make(path)
    monkeypatch.setenv("TRIMTAB_SHOP", str(path))
    monkeypatch.chdir(tmp_path)
    return path


@asynccontextmanager
async def served(name, script, folder):
    """The example, ready to answer, with what it shares."""
    (folder / "corpus").mkdir(exist_ok=True)
    (folder / "corpus" / "manual.md").write_text(CORPUS)
    settings = load(EXAMPLES / f"{name}.yaml", Workflow)
    rag = settings.rag.model_copy(update={"corpus": f"folder:{folder}/corpus"})
    settings = settings.model_copy(update={"rag": rag})
    async with fault_model(script) as model:
        shared = Shared(folder, even, {"env": model.base_url}, "none")
        flow = await flow_of(settings, shared, "v")
        yield flow, shared, model
        await flow.close()


def asked(given, run_id="r1"):
    return Asked(run_id, [], time.monotonic() + 30.0, given=given)


async def test_the_daily_report_is_sent_back_until_it_is_approved(script, tmp_path):
    notes = ["Line 2 stood still for 3 hours.", "Order 7 left."]

    async with served("daily-report", script, tmp_path) as (flow, _, model):
        answer = await flow.answer(asked({"day": "Monday", "notes": notes}))
        counts = await model.counts()

    assert answer.output == "Report, second draft"
    assert counts["asked"]["/v1/chat/completions"] == 6


async def test_support_looks_an_order_up(script, tmp_path, shop_file):
    async with served("support", script, tmp_path) as (flow, _, _):
        answer = await flow.answer(asked({"question": "Where is my order A1?"}))

    assert answer.text == "Order A1 is on its way."
    assert "order_status" in [span["node"] for span in answer.spans]


async def test_support_answers_from_the_manual(script, tmp_path, shop_file):
    async with served("support", script, tmp_path) as (flow, _, _):
        answer = await flow.answer(asked({"question": "How do I restart the machine?"}))

    assert answer.text == "It is in the manual."


async def test_a_mild_complaint_is_answered_and_a_bad_one_waits_for_a_person(
    script, tmp_path, shop_file
):
    async with served("support", script, tmp_path) as (flow, shared, _):
        mild = await flow.answer(asked({"question": "My cup is broken."}, "r1"))
        bad = {"question": "This is unacceptable, I want a refund!"}
        waiting = await flow.answer(asked(bad, "r2"))
        [question] = shared.journal.questions()
        shared.journal.decide(question.id, Decided("answer", "policy 3", "We pay it all back."))
        ended = await flow.answer(asked(bad, "r2"))

    assert mild.text == "We are sorry and send a new one."
    assert waiting.questions[0].ask.startswith("A customer complains: This is unacceptable")
    assert ended.text == "We pay it all back."


async def test_an_order_is_paid_once_and_confirmed(script, tmp_path, shop_file):
    order = {"order": "B7", "amount": 80.0, "country": "NO"}

    async with served("order-processing", script, tmp_path) as (flow, _, _):
        answer = await flow.answer(asked(order))
        again = await flow.answer(asked(order))

    assert answer.text == again.text == "Your order is confirmed."
    assert [what for what, _ in shop.effects(shop_file)] == ["reserve", "pay", "notify"]


async def test_a_risky_order_waits_for_a_person(script, tmp_path, shop_file):
    order = {"order": "B8", "amount": 900.0, "country": "XX"}

    async with served("order-processing", script, tmp_path) as (flow, shared, _):
        waiting = await flow.answer(asked(order))
        before = [what for what, _ in shop.effects(shop_file)]
        shared.journal.decide("r1:ask", Decided("approve", "a known customer"))
        ended = await flow.answer(asked(order))

    assert waiting.questions[0].ask == "Order B8 over 900.0 has a risk of 100. Pay?"
    assert before == ["reserve"]
    assert ended.text == "Your order is confirmed."


async def test_an_order_that_cannot_be_confirmed_is_taken_back(script, tmp_path, shop_file):
    order = {"order": "B10", "amount": 80.0, "country": "NO"}

    async with served("order-processing", script, tmp_path) as (flow, _, _):
        with pytest.raises(UpstreamError, match="no address to write to"):
            await flow.answer(asked(order))

    assert shop.effects(shop_file)[-2:] == [("refund", "receipt-B10-80"), ("release", "B10")]


async def test_a_question_about_data_is_answered_by_sql_that_can_only_read(
    script, tmp_path, shop_file
):
    async with served("data-query", script, tmp_path) as (flow, _, _):
        answer = await flow.answer(asked({"question": "How many orders from Norway?"}))

    assert answer.text == "There are 2 orders from Norway."
    assert "ask_shop" in [span["node"] for span in answer.spans]


@pytest.mark.parametrize(
    ("note", "said"),
    [("a clean photo", "Ship it: a scratch"), ("a blurred photo", "Stop the line: a crack")],
)
async def test_a_defect_is_looked_at_twice_where_the_first_look_is_not_sure(
    script, tmp_path, note, said
):
    async with served("defect-triage", script, tmp_path) as (flow, _, _):
        answer = await flow.answer(asked({"image": IMAGE, "note": note}))

    assert answer.text == said


async def test_a_ticket_is_sorted_and_its_answer_reviewed(script, tmp_path):
    async with served("ticket-handling", script, tmp_path) as (flow, _, _):
        answer = await flow.answer(asked({"ticket": "How do I restart it? It is urgent."}))

    assert answer.text == "[urgent question] Please restart it."


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "clear"),
        ({"name": "Listed Ltd"}, "blocked: the name is listed"),
        ({"purpose": "gold bars"}, "look at it: score 5, doubt 8"),
        ({"country": "XX", "amount": 500.0}, "look at it: score 85, doubt 1"),
    ],
)
async def test_three_checks_make_one_verdict(script, tmp_path, changes, verdict):
    payment = {"name": "Ann", "purpose": "rent", "amount": 100.0, "country": "NO"} | changes

    async with served("risk-checks", script, tmp_path) as (flow, _, _):
        answer = await flow.answer(asked(payment))

    assert answer.text.removesuffix(".0") == verdict


async def test_a_file_that_cannot_be_reviewed_is_left_out_of_the_review(script, tmp_path):
    files = [{"path": "a.py", "diff": "+x"}, {"path": "broken.py", "diff": "+y"}]

    async with served("code-review", script, tmp_path) as (flow, _, _):
        answer = await flow.answer(asked({"title": "Add x", "files": files}))

    assert answer.text == "Check the bounds first."


def test_every_example_is_tested():
    names = {path.stem for path in EXAMPLES.glob("*.yaml")} - {"model-script"}
    here = Path(__file__).read_text()

    assert {name for name in names if f'served("{name}"' not in here} == set()
