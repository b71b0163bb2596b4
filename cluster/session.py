"""A workspace's deployment: brought up, connected to, taken down."""

import contextlib
import logging
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.head import Cluster, Profile, launch_head, load, record, short_folder, stop_head
from cluster.tls import check_certificate, renew_front, start_front, stop_front
from engine.books.backup import check_books
from engine.books.secret import workspace_secret
from engine.config.tls import Tls
from engine.config.workflow import Workflow
from engine.errors import ClusterError, ConfigError
from engine.experiment.entries import Decision, Installed
from engine.experiment.state import State
from engine.experiment.variant import variant_of
from serve_apps.names import CONTROL, NAMESPACE

if TYPE_CHECKING:
    from ray.serve.config import gRPCOptions


def connect(root: Path) -> Cluster:
    """Join the workspace's cluster as a driver, from a shell or from inside a Ray job.

    Raises:
        ClusterError: None is up, or this process is the driver of another one.
    """
    import ray

    cluster = _require(load(root), root)
    if ray.is_initialized():
        joined = ray.get_runtime_context().gcs_address
        if joined.rpartition(":")[2] != cluster.address.rpartition(":")[2]:
            raise ClusterError(
                f"this process drives the cluster at {joined}, not {root}'s at {cluster.address}; "
                "end that with `ray.shutdown()` first"
            )
        return cluster
    # Ray's library reads this when a process first uses it, so a token is the caller's to set.
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(
            address=cluster.address,
            namespace=NAMESPACE,
            log_to_driver=False,
            logging_level=logging.ERROR,
            configure_logging=False,
        )
    except ConnectionError as error:
        message = f"no Ray at {cluster.address}: {error}; `trimtab up` starts one"
        raise ClusterError(message) from error
    return cluster


@dataclass(frozen=True)
class Beside:
    """What a deployment offers beside plain HTTP."""

    tls: Tls | None = None
    grpc_port: int | None = None
    reflection: bool = False
    """Whoever asks over gRPC is told what is offered; for development."""

    @property
    def ingress(self) -> "gRPCOptions | None":
        """What Serve is told of gRPC."""
        if self.grpc_port is None:
            return None
        from serve_apps.deploy import grpc_at

        return grpc_at(self.grpc_port, reflection=self.reflection)

    @property
    def grpc(self) -> str | None:
        """Where gRPC is."""
        return None if self.grpc_port is None else f"127.0.0.1:{self.grpc_port}"


def bring_up(
    root: Path,
    workflow: Workflow,
    *,
    profile: Profile,
    port: int,
    dashboard: bool,
    beside: Beside | None = None,
) -> Cluster:
    """Start Ray and every part of the serving side, install the workflow, wait until it answers.

    A workspace that was up before goes on with the baseline that its ledger names.

    Raises:
        ClusterError: A part did not come up; what was started is ended again.
    """
    root.mkdir(parents=True, exist_ok=True)
    check_books(root)
    workspace_secret(root)
    beside = beside or Beside()
    if beside.tls is not None:
        check_certificate(beside.tls)
    clients = workflow.protection.clients
    head = launch_head(root, profile=profile, port=port, dashboard=dashboard, clients=clients)
    try:
        # What a driver needs takes as long to import as Ray to start.
        import ray

        from cluster.indexing import build_indexes
        from search.selector import start_selector
        from serve_apps.deploy import deploy, wait_until_seated

        build_indexes(root, [workflow])
        cluster = head.ready()
        connect(root)
        seq = install(root, workflow)
        selecting = start_selector(root).start.remote()
        deploy(root, workflow, port=port, grpc=beside.ingress)
        ray.get(selecting)
        wait_until_seated(control(), workflow.workflow, seq)
        if beside.tls is not None:
            front = start_front(
                _front_folder(root), beside.tls, http_port=port, grpc_port=beside.grpc_port
            )
            cluster = cluster.model_copy(update={"tls_url": front.url})
        cluster = cluster.model_copy(update={"grpc": beside.grpc})
        record(root, cluster)
    except BaseException:
        take_down(root)
        raise
    return cluster


def take_down(root: Path) -> bool:
    """Leave the cluster and end it; False when none was up."""
    # Who has not even imported Ray has joined nothing.
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        ray.shutdown()
    stop_front(_front_folder(root))
    return stop_head(root)


def renew_certificate(root: Path) -> None:
    """Let the TLS listener read its certificate and key again; open connections go on.

    Raises:
        ConfigError: The new files can't be used; the old ones stay in force.
        ClusterError: No TLS listener is up, or it did not take them up in time.
    """
    renew_front(_front_folder(root))


def install(root: Path, workflow: Workflow) -> int:
    """Put a workflow on record unless it is, with the same settings; the split's version.

    Raises:
        ConfigError: An experiment or a ramp is open on what is installed now.
    """
    from search.active import write_active_of
    from search.books import Decisions

    decisions = Decisions(root)
    config = workflow.model_dump(mode="json")

    def decide(state: State) -> Decision | None:
        known = state.workflows.get(workflow.workflow)
        if known is not None and known.config == config:
            return None
        if known is not None and known.open_windows:
            names = ", ".join(sorted({one.experiment for one in known.open_windows}))
            raise ConfigError(
                f"{workflow.workflow}: {names} has windows open on what is installed now; "
                "wait until it is over, or `trimtab rollback` a ramp or holdback"
            )
        return Installed(
            workflow=workflow.workflow, baseline=variant_of(workflow), workflow_config=config
        )

    with contextlib.closing(decisions):
        decisions.append(decide, actor="operator", clock=time.time)
        installed = decisions.state().workflow(workflow.workflow)
        write_active_of(root, installed)
        return installed.split.version


def control() -> Any:
    """The control actor of the cluster that this driver is connected to."""
    import ray

    return ray.get_actor(CONTROL, NAMESPACE)


@contextlib.contextmanager
def deployed(root: Path, workflow: Workflow, *, profile: Profile, port: int) -> Iterator[Cluster]:
    """A deployment that lasts as long as the block."""
    cluster = bring_up(root, workflow, profile=profile, port=port, dashboard=False)
    try:
        yield cluster
    finally:
        take_down(root)


def _front_folder(root: Path) -> Path:
    # Under the folder whose name ends whatever was left behind.
    return Path(short_folder(root), "tls")


def _require(cluster: Cluster | None, root: Path) -> Cluster:
    if cluster is None:
        raise ClusterError(f"{root}: nothing is up; `trimtab up CONFIG` starts a cluster")
    return cluster
