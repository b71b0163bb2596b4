"""Puts every part of the serving side on a running Ray cluster."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import serve
from ray.serve import RunTarget
from ray.serve.config import HTTPOptions, gRPCOptions
from ray.serve.schema import LoggingConfig

from engine.config.workflow import Workflow
from engine.errors import ClusterError, ConfigError
from serve_apps.control import start_control
from serve_apps.embedded.serve import embedded_app
from serve_apps.embedder import embedder_app
from serve_apps.gateway.app import gateway_app
from serve_apps.grpc.service import SERVICER
from serve_apps.names import EMBEDDED, EMBEDDED_PREFIX, EMBEDDER, GATEWAY, slot_name
from serve_apps.slot import slot_app
from serve_apps.telemetry.logs import serve_logs

READY_S = 180.0


@dataclass(frozen=True)
class Deployment:
    """Where the parts of a deployment are."""

    url: str
    slots: tuple[str, ...]


def deploy(
    root: Path, workflow: Workflow, *, port: int, grpc: gRPCOptions | None = None
) -> Deployment:
    """Start the embedder, the slots, the embedded model, the control actor and the gateway.

    The control actor is started by the caller's driver, never inside a trial: whatever a trial
    creates dies with its placement group.

    Raises:
        ConfigError: The workflow asks for an endpoint that the environment does not name.
        ClusterError: A part did not become ready in time.
    """
    logging = serve_logs(workflow.observability.logs)
    slots = tuple(slot_name(number) for number in range(workflow.deploy.slots))
    places, api_key = endpoints(workflow, port)
    # Its process starts beside Serve's own; it looks for slots only once there is Serve.
    control = start_control(root, list(slots), workflow.observability)
    serve.start(
        http_options=HTTPOptions(host="127.0.0.1", port=port),
        grpc_options=grpc,
        logging_config=logging,
    )
    started = control.start.remote()
    # Serve's proxy for gRPC, too, is not ready before it knows of an app with a path.
    # The embedder takes longest, and slots wait for it. Of those with a path the gateway is first:
    # until it is there, clients are told that there is no such path.
    targets = [
        _target(embedder_app(workflow.deploy.embeddings), EMBEDDER, None, logging),
        _target(gateway_app(root, places, api_key, workflow), GATEWAY, "/", logging),
        _target(embedded_app(workflow.deploy.models), EMBEDDED, EMBEDDED_PREFIX, logging),
    ]
    targets += [
        RunTarget(
            target=slot_app(root, places, api_key, workflow),
            name=slot,
            route_prefix=None,
            logging_config=logging,
            external_scaler_enabled=True,
        )
        for slot in slots
    ]
    serve.run_many(targets)
    ray.get(started)
    return Deployment(url=f"http://127.0.0.1:{port}", slots=slots)


def grpc_at(port: int, *, reflection: bool = False) -> gRPCOptions:
    """Serve's gRPC ingress; with reflection, whoever asks is told what it offers."""
    return gRPCOptions(port=port, grpc_servicer_functions=[SERVICER], enable_reflection=reflection)


def endpoints(workflow: Workflow, port: int) -> tuple[dict[str, str], str]:
    """Where the names that stand for a base URL lead, and the key to show there."""
    places = {"embedded": f"http://127.0.0.1:{port}{EMBEDDED_PREFIX}/v1"}
    real = os.environ.get("OPENAI_BASE_URL", "")
    if workflow.llm.base_url == "env":
        if not real:
            raise ConfigError("llm.base_url is `env`, but OPENAI_BASE_URL is not set")
        places["env"] = real
    return places, os.environ.get("OPENAI_API_KEY", "") or "none"


def wait_until_seated(control: Any, workflow: str, seq: int, timeout_s: float = READY_S) -> None:
    """Wait until the split of ledger entry `seq` or a newer one is in force.

    Raises:
        ClusterError: It was not in time; says what could not be seated.
    """
    give_up = time.monotonic() + timeout_s
    status: dict[str, Any] = {}
    while time.monotonic() < give_up:
        status = ray.get(control.status.remote())
        if status["versions"].get(workflow, -1) >= seq:
            return
        time.sleep(0.1)
    why = status.get("failed") or "no replica answered"
    raise ClusterError(f"{workflow}: not seated within {timeout_s:g} s: {why}")


def _target(
    app: serve.Application, name: str, prefix: str | None, logging: LoggingConfig
) -> RunTarget:
    return RunTarget(target=app, name=name, route_prefix=prefix, logging_config=logging)
