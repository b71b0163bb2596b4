"""Sends each turn to the tier of model that it needs."""

from collections.abc import Sequence

from engine.config.routing import ModelChoice
from engine.workflow.context.tokens import Tokens
from engine.workflow.parts import NOTHING, Asker, Offer, OnText, Tier
from engine.workflow.reply import Message, Reply
from engine.workflow.routing.model_choice import Need, choose
from engine.workflow.run import Run


class RoutedAsker:
    """An asker that looks at a question before it says which model answers it.

    A step that names another tier than the usual one keeps it.
    """

    def __init__(self, asker: Asker, settings: ModelChoice, model: str) -> None:
        self._asker = asker
        self._settings = settings
        self._tokens = Tokens(model)

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
        """One turn; the choice and its reason have a span of kind `route`.

        Raises:
            DeadlineError, BudgetError, StepError: As the asker behind it.
        """
        if tier == "usual":
            with run.timeline.span("model_choice") as span:
                need = Need.of(run, _asked(messages), self._tokens.of(messages))
                choice = choose(need, self._settings)
                span.update(
                    kind="route", tier=choice.tier, points=choice.points, reason=choice.reason
                )
            tier = choice.tier
        return await self._asker.ask(
            messages, run, node=node, offer=offer, tier=tier, on_text=on_text
        )


def _asked(messages: Sequence[Message]) -> str:
    """The last thing that a user said."""
    said = [one["content"] for one in messages if one.get("role") == "user"]
    return said[-1] if said and isinstance(said[-1], str) else ""
