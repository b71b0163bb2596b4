"""Makes one call to a model's endpoint and hears its answer to the end."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from engine.config.model import Resilience
from engine.config.workflow import Llm
from engine.errors import DeadlineError
from engine.workflow.failure import StepError
from engine.workflow.model.answer import Answer
from engine.workflow.model.codes import failed, is_fault
from engine.workflow.model.line import Line, Request
from engine.workflow.parts import Offer, OnText
from engine.workflow.reply import Message, Reply
from engine.workflow.run import Run


@dataclass
class Turn:
    """One question to a model, and what the person has heard of the answer so far."""

    messages: Sequence[Message]
    run: Run
    node: str
    offer: Offer
    on_text: OnText | None
    told: bool = field(default=False, init=False)

    def tell(self, text: str) -> None:
        """Hand on a piece of the answer, after which nothing else may answer instead."""
        if text and self.on_text:
            self.told = True
            self.on_text(text)

    def speaks_against_endpoint(self, failure: BaseException) -> bool:
        """Whether the endpoint is at fault: a call cut short by the request's end says nothing."""
        return is_fault(failure) or (isinstance(failure, DeadlineError) and self._has_time())

    def may_pass_on(self, failure: StepError | DeadlineError) -> bool:
        """Whether something else may answer after this failure."""
        if isinstance(failure, DeadlineError):
            return self._has_time() and not self.told
        return failure.action in ("retry", "fallback")

    def _has_time(self) -> bool:
        return time.monotonic() < self.run.deadline


@dataclass(frozen=True)
class Endpoint:
    """Where one variant's questions go, and with which settings."""

    line: Line
    settings: Llm
    resilience: Resilience

    async def answer(self, turn: Turn, answer: Answer, first_text: OnText) -> Reply:
        """Ask once; what arrives is put into `answer` also when the call fails.

        `first_text` is called with the first piece of a streamed answer.

        Raises:
            DeadlineError: The request's time, or the settings' `timeout_s`, ran out.
            LlmError: The endpoint failed, refused, or answered something unreadable.
        """
        limit_s = turn.run.within(self.settings.timeout_s)
        request = self._request(answer.asked, turn)
        try:
            async with asyncio.timeout(limit_s):
                if turn.on_text is None:
                    answer.take_whole(await self.line.whole(request))
                else:
                    await self._hear(request, turn, answer, first_text)
        except TimeoutError as error:
            why = f"{answer.asked} took longer than {limit_s:.3f} s"
            raise DeadlineError(why) from error
        return answer.reply()

    async def _hear(self, request: Request, turn: Turn, answer: Answer, first_text: OnText) -> None:
        now = asyncio.get_running_loop().time
        limits = self.resilience
        try:
            async with (
                asyncio.timeout(limits.first_token_timeout_s) as patience,
                aclosing(self.line.pieces(request)) as pieces,
            ):
                async for piece in pieces:
                    text = answer.take_piece(piece)
                    if answer.begun:
                        patience.reschedule(now() + limits.idle_timeout_s)
                    if text and not turn.told:
                        first_text(text)
                    turn.tell(text)
        except TimeoutError as error:
            why = (
                f"nothing more arrived for {limits.idle_timeout_s:g} s"
                if answer.begun
                else f"its answer had not begun after {limits.first_token_timeout_s:g} s"
            )
            raise failed("upstream_stalled", f"{answer.asked}: {why}") from error

    def _request(self, model: str, turn: Turn) -> Request:
        request: Request = {
            "model": model,
            "messages": list(turn.messages),
            "temperature": self.settings.temperature,
            "top_p": self.settings.top_p,
            self.settings.max_tokens_field: self.settings.max_tokens,
        }
        if turn.run.trace:
            request["extra_headers"] = dict(turn.run.trace)
        if turn.offer.tools:
            request |= {"tools": list(turn.offer.tools), "tool_choice": turn.offer.choice}
        return request
