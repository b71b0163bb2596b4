"""Starts the fault model server for a test or a benchmark, and ends it for certain."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from engine.errors import ConfigError
from engine.testing.faults.script import Script

START_S = 60.0
"""A busy machine may take this long to start a process."""


@dataclass(frozen=True)
class FaultModel:
    """A running fault model server."""

    port: int
    pid: int

    @property
    def base_url(self) -> str:
        """What an OpenAI client is given."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def control(self, script: Script) -> None:
        """Play another script from its beginning, with new counts.

        Raises:
            ConfigError: The server refused it.
        """
        content = script.model_dump_json().encode()
        status, answer = await self._exchange("POST", "/control", content)
        if status != 200:
            raise ConfigError(f"the fault model refused its script: {answer['error']['message']}")

    async def counts(self) -> dict[str, Any]:
        """What was `asked` by path, `served` by fault, how many clients `left`, `connections`."""
        _, answer = await self._exchange("GET", "/control/counts")
        return answer

    async def _exchange(
        self, method: str, path: str, content: bytes = b""
    ) -> tuple[int, dict[str, Any]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            head = f"{method} {path} HTTP/1.1\r\nhost: faults\r\nconnection: close\r\n"
            writer.write(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)
            await writer.drain()
            answer = await reader.read()
        finally:
            writer.close()
        headers, _, body = answer.partition(b"\r\n\r\n")
        return int(headers.split(b" ", 2)[1]), json.loads(body)


@asynccontextmanager
async def fault_model(script: Script | None = None, seed: int = 0) -> AsyncIterator[FaultModel]:
    """A fault model server in its own process, for as long as the block lasts."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "engine.testing.faults", "--port", "0", "--seed", str(seed)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_S)
        if not line:
            raise ConfigError("the fault model server ended before it listened; see its output")
        server = FaultModel(json.loads(line)["port"], process.pid)
        if script is not None:
            await server.control(script)
        yield server
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
