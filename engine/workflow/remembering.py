"""Keeps what was said in a conversation, so that a client need not send it again."""

from dataclasses import replace

from engine.workflow.answer import Answer, Asked, Flow
from engine.workflow.reply import turn_of
from engine.workflow.sessions.session import Sessions, amended


class RememberingFlow:
    """A flow that is told the conversation so far where the client sent one message alone."""

    def __init__(self, flow: Flow, sessions: Sessions, workflow: str) -> None:
        self._flow = flow
        self._sessions = sessions
        self._workflow = workflow

    async def answer(self, asked: Asked) -> Answer:
        """Answer with what was said before; an answer that waits for a person is not kept yet.

        Raises:
            ConfigError, DeadlineError, StepError: As the flow behind it.
        """
        if not asked.conversation or not asked.messages:
            return await self._flow.answer(asked)
        id_ = f"{self._workflow}:{asked.conversation}"
        if len(asked.messages) == 1:
            before = (await self._sessions.load(id_)).messages
            asked = replace(asked, messages=[*before, *asked.messages])
        answer = await self._flow.answer(asked)
        if not answer.questions:
            said = (asked.messages[-1], turn_of(answer.text, answer.tool_calls))
            await amended(self._sessions, id_, lambda session: session.said(said))
        return answer

    async def close(self) -> None:
        """Let go of what the flow opened; the sessions are shared."""
        await self._flow.close()
