"""The memory of every process of a deployment after it has been under load."""

from cluster.bench.load import loaded
from cluster.bench.rows import Row
from cluster.bench.serving.ground import Ground
from cluster.bench.serving.processes import memory_mb, roles_of
from cluster.head import processes_of


def measure(ground: Ground) -> list[Row]:
    """By part, with what processes share divided among them."""
    for workflow in (ground.slot, ground.inline):
        loaded(ground.of(workflow).ask(16, ground.setting.seconds))
    found = memory_mb(roles_of(processes_of(ground.cluster)))
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
    return [*made, Row(id="memory", what="memory of all of them", value=total, unit="MB")]
