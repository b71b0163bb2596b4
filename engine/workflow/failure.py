"""How a step of a workflow fails: with a code to count by, a severity, and what to do about it.

StepError
├── LlmError        the model's endpoint refused, failed, or answered something unreadable
├── ToolError       a tool refused its arguments or failed
├── BudgetError     a request used up its steps, tokens, money or time
├── CircuitError    a breaker is open: the call was not even tried
└── PersonError     a person rejected the step
"""

from typing import Literal

from engine.errors import UpstreamError

Severity = Literal["low", "medium", "high", "critical"]
Action = Literal["ignore", "retry", "skip", "fallback", "terminate"]


class StepError(UpstreamError):
    """A step failed; `code` is one of a few words, fit for counting."""

    severity: Severity = "medium"
    action: Action = "terminate"

    def __init__(
        self,
        code: str,
        message: str,
        *,
        severity: Severity | None = None,
        action: Action | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.severity = severity or type(self).severity
        self.action = action or type(self).action
        self.retry_after_s = retry_after_s
        """What the other side asked for; None where it did not say."""


class LlmError(StepError):
    """The endpoint failed, refused, or answered something unreadable."""

    severity: Severity = "high"
    action: Action = "fallback"


class ToolError(StepError):
    """A call can't be done; its message goes back to the language model, which may try again."""

    action: Action = "skip"


class BudgetError(StepError):
    """A request used up its steps, tokens, money or time."""

    action: Action = "fallback"


class CircuitError(StepError):
    """A breaker is open, so the call was not tried."""

    action: Action = "fallback"


class PersonError(StepError):
    """A person rejected the step."""

    severity: Severity = "high"
