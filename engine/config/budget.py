"""What one request may use."""

from typing import Any, Literal

from pydantic import Field, model_validator

from engine.config.frozen import Frozen

PRODUCTION = {"cost_usd": 0.05, "degrade_at": 0.5}


class Budget(Frozen):
    """The most that one request may use before it degrades, and then stops."""

    preset: Literal["usual", "production"] = "usual"
    """`production` caps a request at $0.05 and begins to save at half of anything."""
    steps: int = Field(15, ge=1, le=1_000)
    """Model calls and tool calls together."""
    tokens: int = Field(50_000, ge=1)
    cost_usd: float = Field(0.50, gt=0.0)
    latency_s: float = Field(15.0, gt=0.0)
    """What a request should take; only the deadline stops one that takes longer."""
    degrade_at: float = Field(0.8, gt=0.0, le=1.0)
    """The part of any of them after which the cheap model answers and no more tools are called."""

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, written: Any) -> Any:  # noqa: ANN401 - whatever was written
        if isinstance(written, dict) and written.get("preset") == "production":
            return PRODUCTION | written
        return written
