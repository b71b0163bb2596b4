"""The same answers over TLS, from the listener that `trimtab up` puts before Serve."""

import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import grpc
import httpx2
import openai
import pytest

from serve_apps.grpc import agent_service_pb2 as pb
from serve_apps.grpc import agent_service_pb2_grpc as wire
from serve_apps.names import GATEWAY
from tests.cluster.certificates import certificate

pytestmark = pytest.mark.serve

QUESTION = "Which exception does the assert statement raise when its condition is false?"


def trusting(cert):
    return httpx2.Client(verify=ssl.create_default_context(cafile=cert), timeout=30)


def test_the_openai_client_streams_over_https(served):
    url = f"https://127.0.0.1:{served.tls.port}"
    with openai.OpenAI(
        base_url=f"{url}/v1", api_key="k", http_client=trusting(served.tls.cert)
    ) as client:
        pieces = list(
            client.chat.completions.create(
                model="docs-qa", messages=[{"role": "user", "content": QUESTION}], stream=True
            )
        )

    assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
    assert pieces[-1].choices[0].finish_reason == "stop"


def test_grpc_is_spoken_over_the_same_port(served):
    vouched = grpc.ssl_channel_credentials(Path(served.tls.cert).read_bytes())
    with grpc.secure_channel(f"127.0.0.1:{served.tls.port}", vouched) as channel:
        reply = wire.AgentServiceStub(channel).ExecuteTask(
            pb.ExecuteTaskRequest(workflow="docs-qa", text=QUESTION),
            metadata=(("application", GATEWAY),),
            timeout=30,
        )

    assert reply.status == "done"


def test_a_renewed_certificate_is_taken_up_by_a_command(served, tmp_path):
    for new, live in zip(certificate(tmp_path), (served.tls.cert, served.tls.key), strict=True):
        shutil.copy(new, live)

    done = subprocess.run(
        [sys.executable, "-m", "cluster.main", "renew", "-w", str(served.root), "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, '{"renewed": true}\n'), done.stderr
    with trusting(served.tls.cert) as http:
        assert http.get(f"https://127.0.0.1:{served.tls.port}/healthz").status_code == 200
