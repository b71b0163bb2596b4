"""Kills a process of the deployment with signal 9, frozen first so that requests are in flight."""

import contextlib
import signal
import time

import psutil

from cluster.chaos.family import family
from cluster.chaos.stage import GONE_S, Done, Stage
from engine.errors import ClusterError

Processes = list[psutil.Process]

FROZEN_S = 0.2
"""Short: what is frozen still owns its connections, so requests wait for it."""
STOPPED_S = 2.0
SETTLES_S = 1.0


def kill(stage: Stage, role: str) -> Done:
    """Kill the busiest process of a role, and see another one take its place."""
    before = stage.pids(role)
    process = stage.one(role)
    process.send_signal(signal.SIGSTOP)
    time.sleep(FROZEN_S)
    over_at = time.time()
    process.kill()
    if not _is_gone(process):
        return Done("")
    pid, took_s = stage.wait_for_another(role, before)
    return Done(
        f"{role} {process.pid} was killed; {pid} in its place after {took_s:.1f} s",
        over_at=over_at,
        wrong="" if pid else f"nothing took the place of {role} {process.pid}",
    )


def slot(stage: Stage) -> Done:
    """A replica that serves a variant."""
    return kill(stage, "slot")


def gateway(stage: Stage) -> Done:
    """A replica that assigns and records."""
    return kill(stage, "gateway")


def haproxy(stage: Stage) -> Done:
    """The process that all connections come in by."""
    role = "haproxy" if stage.pids("haproxy") else "proxy"
    return kill(stage, role)


def controller(stage: Stage) -> Done:
    """Serve's controller."""
    return kill(stage, "controller")


def control(stage: Stage) -> Done:
    """Our control actor, which also compacts."""
    return kill(stage, "control")


def freeze_slot(stage: Stage) -> Done:
    """A replica that stands still for a while, as one that blocks its loop does."""
    process = stage.one("slot")
    process.send_signal(signal.SIGSTOP)
    time.sleep(STOPPED_S)
    # Asked late: each of its threads stops when it is next looked at.
    stood_still = process.status() == psutil.STATUS_STOPPED
    process.send_signal(signal.SIGCONT)
    return Done(f"slot {process.pid} stood still for {STOPPED_S:g} s" if stood_still else "")


def whole_cluster(stage: Stage) -> Done:
    """Every process of the deployment at once; then an operator brings it up again."""
    everything = [process for found in family(stage.root).values() for process in found]
    return _up_again(stage, everything, everything)


def head(stage: Stage) -> Done:
    """The head's own processes only; what it leaves behind must not stand in the way."""
    found = family(stage.root)
    heads = [one for role in ("raylet", "gcs_server", "ray") for one in found.get(role, [])]
    return _up_again(stage, heads, [process for each in found.values() for process in each])


def _up_again(
    stage: Stage, victims: list[psutil.Process], everything: list[psutil.Process]
) -> Done:
    """Kill, and do what an operator would: bring it up, and clear away what is in the way."""
    over_at = time.time()
    if not _killed(victims):
        return Done("")
    time.sleep(SETTLES_S)
    wrong = ""
    try:
        took_s = stage.serving.up()
    except ClusterError as error:
        left = [process for process in everything if not _is_dead(process)]
        wrong = f"{len(left)} processes were left and stood in the way: {error}"
        _killed(left)
        took_s = stage.serving.up()
    evidence = f"{len(victims)} processes were killed; up again after {took_s:.1f} s"
    return Done(evidence, over_at=over_at, wrong=wrong)


def _killed(processes: Processes) -> bool:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=GONE_S)
    return bool(processes) and all(_is_dead(process) for process in processes)


def _is_gone(process: psutil.Process) -> bool:
    psutil.wait_procs([process], timeout=GONE_S)
    return _is_dead(process)


def _is_dead(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return True
