"""Bytes that queued and finished conversations take, against what was said in them."""

from importlib.util import find_spec

from cluster.bench.rows import Row, judged
from cluster.bench.serving.ground import Setting
from cluster.bench.serving.rounds import unmeasured

GOAL = ">= 0.83"


def measure(setting: Setting) -> list[Row]:
    """What is saved of queued and of finished conversations."""
    why = "no queue of tasks is there" if find_spec("engine.books.tasks") is None else "not wired"
    return [
        judged(unmeasured(f"stored-{which}", f"saved of {which} conversations", "", why, GOAL))
        for which in ("queued", "finished")
    ]
