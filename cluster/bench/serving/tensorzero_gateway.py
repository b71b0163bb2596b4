"""Runs in the peers' environment: TensorZero's own HTTP gateway, until its input ends."""

import importlib
import sys


def main(config: str) -> None:
    """Start the gateway that the wheel holds, say where it listens, and wait."""
    # The name is private: the wheel starts it for `patch_openai_client`, and has no command.
    start = importlib.import_module("tensorzero.tensorzero")._start_http_gateway
    gateway = start(
        config_file=config,
        clickhouse_url=None,
        postgres_url=None,
        valkey_url=None,
        async_setup=False,
    )
    print(f"listening {gateway.base_url}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
