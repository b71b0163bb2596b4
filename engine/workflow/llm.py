"""Asks a language model over the OpenAI protocol."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import openai
from openai import AsyncOpenAI
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionMessage

from engine.config import workflow as config
from engine.errors import DeadlineError
from engine.workflow.failure import LlmError
from engine.workflow.reply import Message, Reply, ToolCall, Usage


@dataclass(frozen=True)
class Price:
    """What an endpoint asks for a million tokens."""

    input_usd: float
    output_usd: float


PRICES: Mapping[str, Price] = {"embedded-reader": Price(0.0, 0.0)}


class Llm:
    """A client of one endpoint with one variant's settings; it never retries by itself."""

    def __init__(
        self,
        client: AsyncOpenAI,
        settings: config.Llm,
        prices: Mapping[str, Price] | None = None,
    ) -> None:
        self._client = client
        self._settings = settings
        self._price = (PRICES if prices is None else prices).get(settings.name)

    async def ask(
        self,
        messages: Sequence[Message],
        *,
        deadline: float,
        tools: Sequence[Mapping[str, Any]] = (),
        tool_choice: str = "auto",
    ) -> Reply:
        """One turn; `deadline` is on the monotonic clock.

        Raises:
            DeadlineError: The request's time, or the settings' `timeout_s`, ran out.
            LlmError: The endpoint refused, failed, or answered something unreadable.
        """
        budget_s = min(self._settings.timeout_s, deadline - time.monotonic())
        if budget_s <= 0.0:
            raise DeadlineError("no time left to ask the language model")
        request: dict[str, Any] = {
            "model": self._settings.name,
            "messages": list(messages),
            "temperature": self._settings.temperature,
            "top_p": self._settings.top_p,
            "max_tokens": self._settings.max_tokens,
            "timeout": budget_s,
        }
        if tools:
            request |= {"tools": list(tools), "tool_choice": tool_choice}
        try:
            async with asyncio.timeout(budget_s):
                completion: object = await self._client.chat.completions.create(**request)
        except (TimeoutError, openai.APITimeoutError) as error:
            raise DeadlineError(f"the language model took longer than {budget_s:.3f} s") from error
        except (openai.OpenAIError, ValueError) as error:
            raise LlmError(_code(error), f"the language model failed: {error}") from error
        return self._reply(completion)

    def _reply(self, completion: object) -> Reply:
        # The client hands an unexpected body through unchecked.
        if not isinstance(completion, ChatCompletion) or not completion.choices:
            raise LlmError("upstream_malformed", "the language model's answer holds no choice")
        message = completion.choices[0].message
        if not isinstance(message, ChatCompletionMessage):
            raise LlmError("upstream_malformed", "the language model's answer holds no message")
        calls = tuple(
            ToolCall(call.id, call.function.name, call.function.arguments)
            for call in message.tool_calls or ()
            if call.type == "function"
        )
        return Reply(message.content or "", calls, self._usage(completion.usage), completion.model)

    def _usage(self, usage: CompletionUsage | None) -> Usage:
        if usage is None:
            return Usage(None, None, None)
        read, wrote = usage.prompt_tokens, usage.completion_tokens
        if self._price is None:
            return Usage(read, wrote, None)
        return Usage(
            read, wrote, (read * self._price.input_usd + wrote * self._price.output_usd) / 1e6
        )


def _code(error: Exception) -> str:
    match error:
        case openai.RateLimitError():
            return "upstream_throttled"
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            return "upstream_denied"
        case openai.InternalServerError():
            return "upstream_5xx"
        case openai.APIStatusError():
            return "upstream_rejected"
        case openai.APIConnectionError():
            return "upstream_unreachable"
        case _:
            return "upstream_malformed"
