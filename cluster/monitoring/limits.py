"""Where the alerts stand."""

from pydantic import Field

from engine.config.frozen import Frozen


class Limits(Frozen):
    """What a deployment may do before somebody is called."""

    error_share: float = Field(0.05, gt=0.0, lt=1.0)
    """Of a workflow's requests over five minutes."""
    p99_s: float = Field(30.0, gt=0.0)
    """What the slowest hundredth of a workflow's requests may take."""
    usd_per_hour: float = Field(10.0, gt=0.0)
    """What models may be paid in an hour, all workflows together."""
    queue: int = Field(500, ge=1)
    """Requests and tasks that may wait in one gateway."""
    task_wait_s: float = Field(600.0, gt=0.0)
    """How long the oldest waiting task may have waited."""
    backlog_rows: int = Field(100_000, ge=1)
    """Facts that may wait for the compactor."""
    control_away_s: float = Field(30.0, gt=0.0)
    """How long gateways may serve by their last snapshot."""
