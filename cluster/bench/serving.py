"""Requests a second of the whole gateway against two bare hops, on the same cluster."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray import serve

from cluster.bench.bare import NAME, PREFIX, bare_app
from cluster.bench.load import Load, load
from cluster.bench.rows import Row, compared
from cluster.head import Profile, free_ports
from cluster.session import deployed
from engine.config.workflow import Workflow

ROUNDS = 2


def bench_serving(
    root: Path, workflow: Workflow, *, profile: Profile, port: int, seconds: float
) -> list[Row]:
    """Measure both, turn about, and take each one's best round.

    The workflow's model is replaced by an instant upstream; durable traces stay on.
    """
    upstream_port = free_ports(1)[0]
    instant = workflow.llm.model_copy(update={"base_url": "env"})
    instant_workflow = workflow.model_copy(update={"llm": instant})
    os.environ["OPENAI_BASE_URL"] = f"http://127.0.0.1:{upstream_port}/v1"
    upstream = subprocess.Popen(
        [sys.executable, "-m", "cluster.bench.upstream", str(upstream_port)]
    )
    try:
        with deployed(root, instant_workflow, profile=profile, port=port) as cluster:
            serve.run(bare_app(workflow.deploy.gateways), name=NAME, route_prefix=PREFIX)
            body = {
                "model": workflow.workflow,
                "messages": [{"role": "user", "content": "What is a coroutine?"}],
            }
            targets = {
                "bare": f"{cluster.url}{PREFIX}",
                "gateway": f"{cluster.url}/v1/chat/completions",
            }
            return _rounds(targets, body, seconds)
    finally:
        upstream.terminate()
        upstream.wait(timeout=10)
        del os.environ["OPENAI_BASE_URL"]


def _rounds(targets: Mapping[str, str], body: Mapping[str, Any], seconds: float) -> list[Row]:
    rows = []
    for connections in (1, 16):
        best: dict[str, Load] = {}
        for _ in range(ROUNDS):
            for name, url in targets.items():
                one = asyncio.run(load(url, body, connections=connections, duration_s=seconds))
                if name not in best or one.requests_per_s > best[name].requests_per_s:
                    best[name] = one
        bare, gateway = best["bare"], best["gateway"]
        what = f"gateway at {connections} connections"
        for figure, unit, ours, theirs in (
            ("throughput", "requests/s", gateway.requests_per_s, bare.requests_per_s),
            ("p50", "ms", gateway.p50_ms, bare.p50_ms),
            ("p99", "ms", gateway.p99_ms, bare.p99_ms),
        ):
            row = Row(id=f"{figure}-{connections}", what=f"{what}, {figure}", value=ours, unit=unit)
            rows.append(compared(row, theirs))
    return rows
