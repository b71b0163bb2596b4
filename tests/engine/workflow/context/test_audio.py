import time

import httpx2
import pytest
from openai import AsyncOpenAI

from engine.config.budget import Budget
from engine.errors import DeadlineError
from engine.workflow.context.audio import transcribed
from engine.workflow.failure import BudgetError, LlmError
from engine.workflow.run import Run
from engine.workflow.spans import Timeline


def client_of(status, body, seen):
    async def answer(request):
        seen.append((request.url.path, await request.aread()))
        return httpx2.Response(status, json=body)

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    return AsyncOpenAI(http_client=http, base_url="http://e/v1", api_key="none", max_retries=0)


def run_of(spans, left_s=10.0, **budget):
    return Run("r", time.monotonic() + left_s, Timeline(spans), Budget(**budget))


async def test_a_recording_becomes_what_was_said():
    seen, spans = [], []

    text = await transcribed(client_of(200, {"text": " Hello. "}, seen), b"RIFF", run_of(spans))

    assert text == "Hello."
    assert seen[0][0] == "/v1/audio/transcriptions"
    assert b"RIFF" in seen[0][1]
    assert spans[0]["node"] == "transcribe"


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (500, {"error": "down"}, "upstream_5xx"),
        (401, {"error": "who"}, "upstream_denied"),
        (200, {"text": " "}, "upstream_malformed"),
        (200, {}, "upstream_malformed"),
    ],
)
async def test_a_failed_transcription_says_why(status, body, code):
    with pytest.raises(LlmError) as failure:
        await transcribed(client_of(status, body, []), b"RIFF", run_of([]))

    assert failure.value.code == code


async def test_a_request_without_time_or_steps_sends_nothing():
    seen = []
    spent = run_of([], steps=1)
    spent.step()

    with pytest.raises(BudgetError):
        await transcribed(client_of(200, {"text": "x"}, seen), b"RIFF", spent)
    with pytest.raises(DeadlineError):
        await transcribed(client_of(200, {"text": "x"}, seen), b"RIFF", run_of([], left_s=-1.0))

    assert seen == []
