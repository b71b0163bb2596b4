"""A small task with known answers, and the bad day on which a model is asked to do it."""

from dataclasses import dataclass

from engine.testing.faults.outcomes import Answer, Call
from engine.testing.faults.script import Dialogue, Script
from engine.workflow.reply import Message

ORDERS = 40
LATENCY_S = 0.5
FAULTS = {
    "throttled": 0.05,
    "unavailable": 0.02,
    "overloaded": 0.015,
    "internal_error": 0.01,
    "reset_before_headers": 0.015,
    "reset_mid_body": 0.01,
    "bad_json": 0.01,
    "no_http": 0.005,
    "unknown_tool": 0.01,
    "arguments_not_json": 0.01,
    "stalled": 0.01,
    "stalled_mid_body": 0.005,
}
"""The share of calls that meet each; a stall lasts 30 s."""


@dataclass(frozen=True)
class Order:
    """What one request asks to be added up."""

    number: int

    @property
    def messages(self) -> list[Message]:
        """As the model is told."""
        return [
            {"role": "system", "content": "Add up orders with the calculator, then check the sum."},
            {"role": "user", "content": f"{self.name}: {self.sum}. What is the total?"},
        ]

    @property
    def name(self) -> str:
        """Occurs in no other order's question."""
        return f"Order {self.number:03d}"

    @property
    def sum(self) -> str:
        """Items times price, and the shipping."""
        return f"{self.number + 3} * {2 * self.number + 11} + {self.number % 7 + 4}"

    @property
    def total(self) -> str:
        """The right answer."""
        items, price, shipping = self.number + 3, 2 * self.number + 11, self.number % 7 + 4
        return str(items * price + shipping)

    @property
    def dialogue(self) -> Dialogue:
        """Adds up, checks by adding the other way round, answers."""
        items, _, shipping = self.sum.rpartition(" + ")
        return Dialogue(
            prompt=self.name,
            turns=(
                _called(self.sum, input_tokens=900),
                _called(f"{shipping} + {items}", input_tokens=980),
                Answer(
                    text=f"The total is {self.total} dollars.",
                    input_tokens=1_060,
                    output_tokens=12,
                    latency_s=LATENCY_S,
                ),
            ),
        )

    def is_right(self, answer: str, results: list[str]) -> bool:
        """Whether the answer gives the total, and a tool had given it before."""
        return self.total in results and f" {self.total} " in answer


def bad_day() -> Script:
    """All orders, under all faults."""
    orders = (Order(number) for number in range(ORDERS))
    return Script(rates=FAULTS, dialogues=tuple(order.dialogue for order in orders))


def _called(expression: str, *, input_tokens: int) -> Answer:
    return Answer(
        text="",
        calls=(Call(name="calculator", arguments={"expression": expression}),),
        input_tokens=input_tokens,
        output_tokens=30,
        latency_s=LATENCY_S,
    )
