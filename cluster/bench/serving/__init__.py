"""What serving costs and withstands, beside bare Serve and other gateways in the same run."""

from pathlib import Path

from cluster.bench.rows import Row
from cluster.bench.serving.ground import Setting
from cluster.bench.serving.run import rows
from cluster.head import Profile
from cluster.output import say
from engine.config.workflow import Workflow


def bench_serving(
    root: Path, workflow: Workflow, *, profile: Profile, port: int, seconds: float
) -> list[Row]:
    """All parts; the command's present way in."""
    setting = Setting(root, root / "peers", profile, port, seconds, times=3, quick=False)
    return rows([], setting, say)
