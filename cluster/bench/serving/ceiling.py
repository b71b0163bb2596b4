"""How many requests a second the load itself can make: no figure near it is the target's."""

from cluster.bench.rows import Row
from cluster.bench.serving.ground import Ground
from cluster.bench.serving.rounds import rounds


def measure(ground: Ground) -> list[Row]:
    """The instant upstream, asked with nothing in between."""
    found = rounds(
        [ground.direct()],
        connections=16,
        seconds=ground.setting.seconds,
        times=ground.setting.times,
    )["upstream"]
    what = "the load's own ceiling: the upstream asked directly by 16 connections"
    return [found.row("ceiling", what, "requests_per_s", "requests/s")]
