"""The same chat completion through other gateways, with the same load in the same minutes."""

import contextlib

from cluster.bench.rows import Row, compared, judged
from cluster.bench.serving.environment import environment, version
from cluster.bench.serving.gateways import PEERS, Peer
from cluster.bench.serving.ground import Ground
from cluster.bench.serving.rounds import Rounds, Target, rounds, unmeasured
from cluster.bench.serving.throughput import costs
from engine.errors import ClusterError

CONNECTIONS = 16
GOALS = {"litellm": ">= 5.0", "tensorzero": None}


def measure(ground: Ground) -> list[Row]:
    """Ours with durable traces, in both placements; a peer that isn't there is told as such."""
    why: dict[str, str] = {}
    versions: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        targets = [ground.of(ground.slot), ground.of(ground.inline)]
        for peer in PEERS:
            try:
                target, versions[peer.name] = _started(stack, peer, ground)
                targets.append(target)
            except (ClusterError, OSError) as error:
                why[peer.name] = str(error)
        found = rounds(
            targets,
            connections=CONNECTIONS,
            seconds=ground.setting.seconds,
            times=ground.setting.times,
        )
    made = []
    for peer in PEERS:
        theirs = found.get(peer.name, Rounds())
        reason = why.get(peer.name) or theirs.why_not
        made += rows(peer, versions.get(peer.name, ""), found, reason)
        if not reason:
            made += costs(peer.name, theirs)
    return made


def rows(peer: Peer, version_: str, found: dict[str, Rounds], why: str) -> list[Row]:
    """The peer's requests a second, and each placement of ours beside them."""
    what = f"{peer.name} {version_}, {peer.durability}".replace("  ", " ")
    if why:
        made = [unmeasured(f"rate-{peer.name}", f"{what}: rate", "requests/s", why)]
    else:
        rate = found[peer.name].row(
            f"rate-{peer.name}", f"{what}: rate", "requests_per_s", "requests/s"
        )
        p50 = found[peer.name].row(f"p50-{peer.name}", f"{what}: p50", "p50_ms", "ms")
        made = [rate, p50]
    return made + [_over(peer, name, found, why) for name in ("slot", "inline")]


def _over(peer: Peer, name: str, found: dict[str, Rounds], why: str) -> Row:
    id_, what = f"over-{peer.name}-{name}", f"{name} placement, durable, over {peer.name}"
    ours = found[name].row(id_, what, "requests_per_s", "requests/s")
    if why := why or found[name].why_not:
        return judged(unmeasured(id_, what, "", why, GOALS[peer.name]))
    theirs = found[peer.name].row("", "", "requests_per_s", "").value
    if theirs is None or ours.value is None:
        return judged(unmeasured(id_, what, "", "no answers", GOALS[peer.name]))
    ratio = Row(id=id_, what=what, value=ours.value / theirs, unit="", goal=GOALS[peer.name])
    return compared(judged(ratio), 1.0)


def _started(stack: contextlib.ExitStack, peer: Peer, ground: Ground) -> tuple[Target, str]:
    programs = environment(ground.setting.peers)
    installed = version(programs, peer.name)
    return stack.enter_context(peer.start(programs, ground.root, ground.base_url)), installed
