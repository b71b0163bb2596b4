"""Requests a second through the whole of Trimtab, beside two bare hops that do nothing."""

from cluster.bench.rows import Row, compared, judged
from cluster.bench.serving.ground import Ground
from cluster.bench.serving.rounds import Rounds, rounds, unmeasured

CONNECTIONS, QUICK_CONNECTIONS = (1, 16, 64), (1, 16)
JUDGED = 16
WHAT = {
    "slot": "slot placement",
    "inline": "inline placement",
    "hop": "one bare hop, which no placement can outrun,",
}
SLOT, INLINE, RATE = ">= 0.85", ">= 3.0", ">= 500"


def measure(ground: Ground) -> list[Row]:
    """Both placements do all of their work: assign, record, ask the upstream, record, answer."""
    made = []
    for connections in QUICK_CONNECTIONS if ground.setting.quick else CONNECTIONS:
        targets = [
            *(ground.direct(), ground.bare(), ground.hop()),
            *(ground.of(ground.slot), ground.of(ground.inline)),
        ]
        found = rounds(
            targets,
            connections=connections,
            seconds=ground.setting.seconds,
            times=ground.setting.times,
        )
        made += figures(found, connections)
        if connections == JUDGED:
            made += [
                ratio("slot", found, SLOT),
                ratio("inline", found, INLINE),
                ratio("hop", found, None),
                *costs("bare", found["bare"]),
                *costs("slot", found["slot"]),
                *costs("inline", found["inline"]),
            ]
    return made


def figures(found: dict[str, Rounds], connections: int) -> list[Row]:
    """Each target's requests a second and latencies, ours beside the bare hops'."""
    made = []
    for name, target in found.items():
        for figure, unit in (("requests_per_s", "requests/s"), ("p50_ms", "ms"), ("p99_ms", "ms")):
            short = "rate" if figure == "requests_per_s" else figure.removesuffix("_ms")
            what = f"{name}, {connections} connections: {short}"
            row = target.row(f"{short}-{name}-{connections}", what, figure, unit)
            is_rate = connections == JUDGED and short == "rate" and name in ("slot", "inline")
            made.append(judged(row.model_copy(update={"goal": RATE})) if is_rate else row)
    return made


def ratio(name: str, found: dict[str, Rounds], goal: str | None) -> Row:
    """One target's requests a second over the two bare hops', its ends the rounds' own."""
    id_, what = f"over-bare-{name}", f"{WHAT[name]} over two bare hops"
    if why := found[name].why_not or found["bare"].why_not:
        return judged(unmeasured(id_, what, "", why, goal))
    ours, bare = found[name].row("", "", "requests_per_s", ""), found["bare"]
    theirs = bare.row("", "", "requests_per_s", "").value or 0.0
    pairs = zip(found[name].loads, bare.loads, strict=True)
    each = [one.requests_per_s / other.requests_per_s for one, other in pairs]
    value = None if ours.value is None else ours.value / theirs
    row = Row(id=id_, what=what, value=value, low=min(each), high=max(each), unit="", goal=goal)
    return compared(judged(row), 1.0)


def costs(name: str, found: Rounds) -> list[Row]:
    """What each part of the machine spends on one request."""
    return [
        Row(
            id=f"cpu-{name}-{role}",
            what=f"{name}: seconds on a core for 1,000 requests, {role}",
            value=value,
            unit="s",
        )
        for role, value in sorted(found.cpu().items(), key=lambda one: -one[1])
        if value >= 0.005
    ]
