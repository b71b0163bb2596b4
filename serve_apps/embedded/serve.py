"""The embedded language model as a routed Serve application of its own."""

from ray import serve
from starlette.applications import Starlette

from serve_apps.embedded.app import reader_app


def _app() -> Starlette:
    """Built in the replica, so that nothing of it is ever pickled."""
    return reader_app()


def embedded_app(replicas: int) -> serve.Application:
    """The embedded model with a fixed number of replicas."""
    deployment = serve.deployment(
        name="Embedded",
        num_replicas=replicas,
        max_ongoing_requests=1_000,
        max_queued_requests=2_000,
        ray_actor_options={"num_cpus": 0.1},
        health_check_period_s=2.0,
    )
    return deployment(serve.ingress(_app)()).bind()
