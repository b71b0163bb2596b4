"""What a graph's intent step asks: a router that is built when it is first needed."""

import asyncio

from engine.config.graph.steps import IntentStep
from engine.config.routing import FALLBACK, Intent, Intents
from engine.workflow.embedding import Embed, embedding_version
from engine.workflow.routing.intent import IntentRouter


class StepIntents:
    """The intents of one step."""

    def __init__(self, step: IntentStep, embed: Embed) -> None:
        self._otherwise = step.otherwise
        self._embed = embed
        self._building = asyncio.Lock()
        self._router: IntentRouter | None = None
        names = dict.fromkeys((*step.keywords, *step.examples))
        self._settings = Intents(
            intents={
                name: Intent(
                    keywords=step.keywords.get(name, ()), examples=step.examples.get(name, ())
                )
                for name in names
            },
            threshold=step.threshold,
        )

    async def intent(self, text: str) -> tuple[str, float, str]:
        """The intent, the confidence in [0, 1], and what told it."""
        async with self._building:
            if self._router is None:
                version = embedding_version()
                self._router = await IntentRouter.build(
                    self._settings, self._embed, encoder=version
                )
        found = await self._router.route(text)
        intent = self._otherwise if found.intent == FALLBACK else found.intent
        return intent, found.confidence, found.by
