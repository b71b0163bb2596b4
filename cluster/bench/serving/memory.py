"""The memory of every process of a deployment after it has been under load."""

from cluster.bench.load import loaded
from cluster.bench.rows import Row, judged
from cluster.bench.serving.ground import Ground
from cluster.bench.serving.processes import memory_mb, roles_of
from cluster.head import processes_of

GOAL = "<= 3700"


def measure(ground: Ground) -> list[Row]:
    """By part, with what processes share divided among them."""
    for workflow in (ground.slot, ground.inline):
        loaded(ground.of(workflow).ask(16, ground.setting.seconds))
    roles = roles_of(processes_of(ground.cluster))
    found = memory_mb({role: each for role, each in roles.items() if role != "bare"})
    made = [
        Row(
            id=f"memory-{role}",
            what=f"memory of {role} (processes: {len(each)}), each at the median",
            value=each[len(each) // 2],
            low=each[0],
            high=each[-1],
            unit="MB",
        )
        for role, each in sorted(found.items(), key=lambda one: -sum(one[1]))
    ]
    total = sum(sum(each) for each in found.values())
    whole = Row(id="memory", what="memory of all of them", value=total, unit="MB", goal=GOAL)
    return [*made, judged(whole)]
