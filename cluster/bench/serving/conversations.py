"""Many conversations at a time with a model that takes a second."""

from cluster.bench.load import loaded
from cluster.bench.rows import Row, judged
from cluster.bench.serving.ground import Ground
from cluster.bench.upstream import delay_answers

CONNECTIONS = 900
DELAY_S = 1.0
SECONDS, QUICK_SECONDS = 20.0, 5.0


def measure(ground: Ground) -> list[Row]:
    """Each asks again as soon as it was answered, which is more than people do."""
    seconds = QUICK_SECONDS if ground.setting.quick else SECONDS
    made = []
    delay_answers(ground.base_url, DELAY_S)
    try:
        for workflow in (ground.slot, ground.inline):
            target = ground.of(workflow)
            ask = target.ask(CONNECTIONS, seconds).model_copy(update={"settle_s": 3.0})
            load = loaded(ask)
            made += rows(target.name, load.errors, load.first_error, load.p99_ms)
            what = f"{target.name}: answers a second among {CONNECTIONS} conversations"
            made.append(
                Row(
                    id=f"conversations-{target.name}",
                    what=what,
                    value=load.requests_per_s,
                    unit="requests/s",
                )
            )
    finally:
        delay_answers(ground.base_url, 0.0)
    return made


def rows(name: str, errors: int, first: str, p99_ms: float | None) -> list[Row]:
    """No conversation may fail, nor wait long beyond the model."""
    why = f" ({' '.join(first.split())[:120]})" if first else ""
    what = f"{name}: {CONNECTIONS} conversations on a model of {DELAY_S:g} s"
    return [
        judged(
            Row(
                id=f"conversations-{name}-errors",
                what=f"{what}, errors{why}",
                value=errors,
                unit="",
                goal="<= 0",
            )
        ),
        judged(
            Row(
                id=f"conversations-{name}-p99",
                what=f"{what}, p99",
                value=None if p99_ms is None else p99_ms / 1e3,
                unit="s",
                goal="< 2.5",
            )
        ),
    ]
