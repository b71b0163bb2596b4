"""Takes away what a process needs: space on the disk, memory, open files."""

import contextlib
import resource
import time
from collections.abc import Iterator

import psutil

from cluster.chaos.family import MIB, family
from cluster.chaos.http import say
from cluster.chaos.stage import Done, Stage

FULL_BYTES = 32 * 1024
"""No file of the gateways may grow beyond this: to them the disk is full."""
LASTS_S = 2.0
ROOM_BYTES = 8 * MIB
ASKS_EVERY_S = 0.2


def full_disk(stage: Stage) -> Done:
    """No gateway can write; requests must be refused before they are paid for."""
    gateways = family(stage.root).get("gateway", [])
    with _limited(gateways, resource.RLIMIT_FSIZE, FULL_BYTES):
        refused = _refusals(stage, "storage_full")
    return Done(
        f"{refused} probes were refused with storage_full" if refused else "",
        fills_disk=True,
        wrong="" if _heals(stage) else "there is space again and it does not recover",
    )


def little_memory(stage: Stage) -> Done:
    """A slot's replica can't have more memory than it has."""
    process = stage.one("slot")
    before = stage.pids("slot")
    most = process.memory_info().vms + ROOM_BYTES
    with _limited([process], resource.RLIMIT_AS, most):
        time.sleep(LASTS_S)
    alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    if alive:
        return Done(f"slot {process.pid} lived through {most // MIB} MiB of address space")
    pid, took_s = stage.wait_for_another("slot", before)
    return Done(f"slot {process.pid} died of it; {pid} in its place after {took_s:.1f} s")


def few_files(stage: Stage) -> Done:
    """A gateway can't open another file or connection."""
    process = stage.one("gateway")
    held = process.num_fds()
    with _limited([process], resource.RLIMIT_NOFILE, held):
        time.sleep(LASTS_S)
        after = process.num_fds()
    return Done(f"gateway {process.pid} could open none beside its {held} files, it holds {after}")


@contextlib.contextmanager
def _limited(processes: list[psutil.Process], what: int, most: int) -> Iterator[None]:
    before = {process: process.rlimit(what) for process in processes}
    for process, (_, hard) in before.items():
        process.rlimit(what, (most, hard))
    try:
        yield
    finally:
        for process, limits in before.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.rlimit(what, limits)


def _refusals(stage: Stage, code: str) -> int:
    give_up, found = time.monotonic() + LASTS_S, 0
    while time.monotonic() < give_up:
        found += say(stage.serving.url).code == code
        time.sleep(ASKS_EVERY_S)
    return found


def _heals(stage: Stage) -> bool:
    give_up = time.monotonic() + LASTS_S
    while time.monotonic() < give_up:
        if say(stage.serving.url).status == 200:
            return True
        time.sleep(ASKS_EVERY_S)
    return False
