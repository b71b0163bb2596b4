"""Asks a language model only what isn't remembered."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.config.workflow import Llm
from engine.workflow.caching.counts import Counts
from engine.workflow.caching.exact import NOTHING_USED, ExactCache
from engine.workflow.caching.flight import SingleFlight
from engine.workflow.caching.prompt import Prompt
from engine.workflow.caching.semantic import SemanticCache, Sought
from engine.workflow.parts import NOTHING, Asker, Offer, OnText, Tier
from engine.workflow.reply import Message, Reply
from engine.workflow.run import Run
from engine.workflow.spans import Span

NOT_SOUGHT = Sought(None)


class CachedAsker:
    """One variant's asker behind its caches: the very same prompt first, then the same meaning.

    A remembered answer costs no step, no token and no money, and is streamed in one piece.
    """

    def __init__(
        self,
        asker: Asker,
        namespace: str,
        llm: Llm,
        *,
        exact: ExactCache,
        semantic: SemanticCache | None = None,
    ) -> None:
        self._asker = asker
        self._namespace = namespace
        self._llm = llm
        self._exact = exact
        self._semantic = semantic
        self._flights: SingleFlight[Reply] = SingleFlight()

    async def ask(
        self,
        messages: Sequence[Message],
        run: Run,
        *,
        node: str,
        offer: Offer = NOTHING,
        tier: Tier = "usual",
        on_text: OnText | None = None,
    ) -> Reply:
        """One turn, remembered or made; the look-up has a span of kind `cache`.

        Raises:
            DeadlineError: The request's time, or the call's own limit, ran out.
            BudgetError: The request's steps, tokens or money are used up.
            StepError: The model failed, and so did everything that could stand in for it.
        """

        async def make() -> Reply:
            return await self._asker.ask(
                messages, run, node=node, offer=offer, tier=tier, on_text=on_text
            )

        prompt = Prompt(self._namespace, self._llm, messages, offer, tier)
        if not self._exact.fits(prompt):
            return await make()
        with run.timeline.span(node) as span:
            span["kind"] = "cache"
            sought = await self._sought(prompt, run, span)
            span["cache_hit"] = sought.reply is not None
        if sought.reply is not None:
            if on_text is not None and sought.reply.text:
                on_text(sought.reply.text)
            return sought.reply

        def fits(reply: Reply) -> bool:
            # What stands in for an answer of this request is no answer for another one.
            return self._exact.keeps(reply) and not run.degraded

        async def remembered() -> Reply:
            reply = await make()
            if fits(reply):
                await self._remember(prompt, sought, reply)
            return reply

        return await self._flights.led(prompt.key, remembered, fits)

    async def drop(self) -> None:
        """Forget everything of this variant."""
        await self._exact.drop(self._namespace)
        if self._semantic is not None:
            self._semantic.drop(self._namespace)

    def counts(self) -> Mapping[str, Counts]:
        """What each cache found so far; what is shared by variants counts them together."""
        found = {"exact": self._exact.counts()}
        return found if self._semantic is None else {**found, "semantic": self._semantic.counts()}

    async def _sought(self, prompt: Prompt, run: Run, span: Span) -> Sought:
        reply = await self._exact.get(prompt)
        if reply is not None:
            span["cache"] = "exact"
            return Sought(None, reply)
        sought = NOT_SOUGHT
        if self._semantic is not None and self._semantic.fits(prompt):
            sought = await self._semantic.get(prompt)
        if sought.reply is not None:
            span.update(cache="semantic", cosine=sought.cosine)
            return sought
        shared = await self._flights.joined(prompt.key, lambda: run.within(math.inf))
        if shared is not None:
            span["cache"] = "shared"
            self._exact.counts().shared += 1
            return Sought(None, replace(shared, usage=NOTHING_USED))
        return sought

    async def _remember(self, prompt: Prompt, sought: Sought, reply: Reply) -> None:
        await self._exact.put(prompt, reply)
        if self._semantic is not None and sought.vector is not None and not reply.tool_calls:
            self._semantic.put(prompt, sought.vector, reply)
