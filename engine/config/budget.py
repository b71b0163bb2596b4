"""What one request may use."""

from pydantic import Field

from engine.config.frozen import Frozen


class Budget(Frozen):
    """The most that one request may use before it degrades, and then stops."""

    steps: int = Field(15, ge=1, le=1_000)
    """Model calls and tool calls together."""
    tokens: int = Field(50_000, ge=1)
    cost_usd: float = Field(0.50, gt=0.0)
    degrade_at: float = Field(0.8, gt=0.0, le=1.0)
    """The part of any of them after which the cheap model answers and no more tools are called."""
