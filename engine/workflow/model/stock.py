"""Asks an endpoint through the openai client: one from outside, or where HTTP/2 is spoken."""

from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import openai
from openai import AsyncOpenAI

from engine.workflow.failure import LlmError
from engine.workflow.model.codes import translated
from engine.workflow.model.line import STREAMED, Request, read

_FAILURES = (openai.OpenAIError, aiohttp.ClientError, ValueError)
"""What a call may raise: the client lets pass what it doesn't know of aiohttp, and of JSON."""


class Stock:
    """A line over an openai client as it is; its own limits and retries hold."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self._completions = client.chat.completions
        self.spoke = ""
        """The version of HTTP in the last answer, such as `HTTP/2`; empty before the first."""

    async def whole(self, request: Request) -> object:
        """As `Line.whole`."""
        try:
            answer = await self._completions.with_raw_response.create(**request)
        except _FAILURES as error:
            raise self._failed(error, request["model"]) from error
        self.spoke = answer.http_response.http_version
        return read(answer.content, request["model"])

    async def pieces(self, request: Request) -> AsyncGenerator[object, None]:
        """As `Line.pieces`."""
        begun = False
        try:
            stream: Any = await self._completions.create(**request | STREAMED)
            self.spoke = stream.response.http_version
            begun = True
            async with stream:
                async for piece in stream:
                    yield _plain(piece)
        except _FAILURES as error:
            raise self._failed(error, request["model"], answering=begun) from error

    def _failed(self, error: Exception, model: str, *, answering: bool = False) -> LlmError:
        if isinstance(error, openai.APIStatusError):
            self.spoke = error.response.http_version
        return translated(error, model, answering=answering)


def _plain(piece: object) -> object:
    # Only JSON objects were made into models; whatever else came is as it was.
    if not isinstance(piece, openai.BaseModel):
        return piece
    return piece.model_dump(exclude_unset=True, warnings=False)
