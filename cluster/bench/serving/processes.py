"""What the processes of a deployment cost: time on a core and memory, by their part in it."""

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Mapping

import psutil

TITLES = {
    "ServeReplica:gateway": "gateway",
    "ServeReplica:slot": "slot",
    "ServeReplica:bare": "bare",
    "ServeReplica:embed": "embedder, embedded model",
    "ray::Serve": "Serve's controller, proxies",
    "ray::HAProxy": "Serve's controller, proxies",
    "ray::Control": "control",
    "ray::Selector": "selector",
    "cluster.bench.upstream": "upstream",
    "litellm": "litellm",
    "tensorzero_gateway": "tensorzero",
    "bin/haproxy": "haproxy",
    "raylet/raylet": "raylet",
    "gcs_server": "gcs",
}
"""Parts by what a process's title holds; the first that fits."""
OTHER = "other of Ray"

Roles = Mapping[str, list[psutil.Process]]


def role_of(title: str) -> str:
    """A process's part, by its title."""
    return next((role for text, role in TITLES.items() if text in title), OTHER)


def roles_of(processes: Iterable[psutil.Process]) -> Roles:
    """These processes by their part."""
    found: defaultdict[str, list[psutil.Process]] = defaultdict(list)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            found[role_of(" ".join(process.cmdline()))].append(process)
    return found


def cpu_s(roles: Roles) -> dict[str, float]:
    """Seconds on a core so far, of those that are still there."""
    return {role: sum(map(_cpu_s, processes)) for role, processes in roles.items()}


def memory_mb(roles: Roles) -> dict[str, list[float]]:
    """Each process's memory, what it shares divided among those that share it."""
    return {role: sorted(map(_memory_mb, processes)) for role, processes in roles.items()}


def _cpu_s(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        used = process.cpu_times()
        return float(used.user + used.system)
    return 0.0


def _memory_mb(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        return float(process.memory_full_info().pss) / 1e6
    return 0.0
