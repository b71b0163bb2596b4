"""The workspace's cluster as a command finds it, without Ray unless there is one to ask."""

from pathlib import Path
from typing import Any

from engine.errors import ClusterError

ANSWERS_WITHIN_S = 10.0
FOLLOWS_WITHIN_S = 30.0


def control_status(root: Path) -> dict[str, Any] | None:
    """Who sits in which slot, as the control actor says; None when nothing is up here.

    Raises:
        ClusterError: A cluster is on record and can't be reached.
    """
    if not (root / "cluster.json").exists():
        return None
    from cluster.head import load

    cluster = load(root)
    if cluster is None or not cluster.is_alive:
        raise ClusterError(f"{root}: the recorded cluster is dead; `trimtab down` forgets it")
    return _asked(root)


def follow(root: Path, workflow: str, seq: int) -> bool:
    """Wait until traffic follows a ledger entry; False when no cluster is up to serve any.

    Raises:
        ClusterError: Traffic does not follow it in time. The entry stands all the same.
    """
    from cluster.head import load

    cluster = load(root)
    if cluster is None or not cluster.is_alive:
        return False
    import ray
    from ray.exceptions import RayError

    from cluster.session import connect, control
    from serve_apps.deploy import wait_until_seated

    try:
        connect(root)
        wait_until_seated(control(), workflow, seq, FOLLOWS_WITHIN_S)
    except (RayError, ValueError, ClusterError) as error:
        raise ClusterError(
            f"entry {seq} is on record, but traffic does not follow it yet: {error}; "
            "`trimtab status` shows what is seated"
        ) from error
    finally:
        ray.shutdown()
    return True


def _asked(root: Path) -> dict[str, Any]:
    import ray
    from ray.exceptions import RayError

    from cluster.session import connect, control

    connect(root)
    try:
        status: dict[str, Any] = ray.get(control().status.remote(), timeout=ANSWERS_WITHIN_S)
    except (RayError, ValueError, TimeoutError) as error:
        raise ClusterError(f"{root}: the control actor does not answer: {error}") from error
    finally:
        ray.shutdown()
    return status
