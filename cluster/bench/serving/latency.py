"""What Trimtab adds to one request when nobody else asks."""

from cluster.bench.rows import Row, compared
from cluster.bench.serving.ground import Ground
from cluster.bench.serving.rounds import rounds


def measure(ground: Ground) -> list[Row]:
    """One connection through each placement, less the same to the upstream directly."""
    targets = [ground.direct(), ground.of(ground.slot), ground.of(ground.inline)]
    found = rounds(
        targets, connections=1, seconds=ground.setting.seconds, times=ground.setting.times
    )
    made = []
    for name in ("slot", "inline"):
        for figure in ("p50_ms", "p99_ms"):
            short = figure.removesuffix("_ms")
            what = f"{name}: added to a request at one connection, {short}"
            through = found[name].row(f"added-{name}-{short}", what, figure, "ms")
            direct = found["upstream"].row("", "", figure, "ms").value
            if through.value is not None and direct is not None:
                added = {"value": through.value - direct, "low": None, "high": None}
                through = compared(through.model_copy(update=added), direct)
            made.append(through)
    return made
