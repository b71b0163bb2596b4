"""What an operator may say about tasks."""

from pydantic import Field

from engine.config.frozen import Frozen

CAPACITY = 10_000
"""Tasks that may be open; more are refused, so that a queue never grows beyond what is worked."""
ATTEMPTS = 3
"""How many workers may die over a task before it counts as failed."""
RETENTION_S = 24 * 3_600.0
"""How long a task that ended can be asked for."""


class TaskSettings(Frozen):
    """How many tasks may wait, how they are worked and how long their results are kept."""

    concurrency: int = Field(16, ge=0, le=1_000)
    """Tasks that one gateway replica works on at once; 0 leaves them to other replicas."""
    capacity: int = Field(CAPACITY, ge=1)
    """Tasks that may be waiting or running; further ones are refused with 429."""
    timeout_s: float = Field(3_600.0, gt=0)
    """How long a task may take from its submission, unless it says less."""
    lease_s: float = Field(15.0, gt=0)
    """How long a task waits for another worker after its own has died."""
    attempts: int = Field(ATTEMPTS, ge=1)
    """How many workers may die over a task before it counts as failed."""
    retention_s: float = Field(RETENTION_S, gt=0)
    """How long a result can be asked for, and its idempotency key is known."""
    poll_s: float = Field(0.25, gt=0)
    """How often a replica looks for tasks that came in, or were cancelled, elsewhere."""
    drain_s: float = Field(8.0, ge=0)
    """How long a replica that closes goes on with its tasks before it gives them back."""
