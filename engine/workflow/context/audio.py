"""Turns speech into text, so that a conversation can hold it."""

import asyncio

import openai
from openai import AsyncOpenAI

from engine.errors import DeadlineError
from engine.workflow.model.codes import failed, translated
from engine.workflow.run import Run

MODEL = "whisper-1"
TIMEOUT_S = 60.0


async def transcribed(client: AsyncOpenAI, audio: bytes, run: Run, *, model: str = MODEL) -> str:
    """What is said in a recording, by the endpoint's transcription model.

    Counts as a step; what it costs is not known here, since endpoints ask for minutes.

    Raises:
        DeadlineError: The request's time, or `TIMEOUT_S`, ran out.
        LlmError: The endpoint refused, failed, or heard nothing.
        BudgetError: The request's steps, tokens or money are used up.
    """
    run.step()
    limit_s = run.within(TIMEOUT_S)
    with run.timeline.span("transcribe") as span:
        span["bytes"] = len(audio)
        try:
            async with asyncio.timeout(limit_s):
                heard = await client.audio.transcriptions.create(
                    file=("speech", audio), model=model, timeout=limit_s
                )
        except (TimeoutError, openai.APITimeoutError) as error:
            raise DeadlineError(f"the transcription took longer than {limit_s:.3f} s") from error
        except (openai.OpenAIError, ValueError) as error:
            raise translated(error, model) from error
        text = getattr(heard, "text", None)
        if not isinstance(text, str) or not text.strip():
            raise failed("upstream_malformed", f"{model}: the transcription holds no text")
        return text.strip()
