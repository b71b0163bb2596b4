"""The embedded reader behind real sockets without Ray, for tests."""

import asyncio
import socket
from contextlib import asynccontextmanager

import uvicorn

from serve_apps.embedded.app import reader_app


@asynccontextmanager
async def embedded_model():
    # Listening before the server starts: whoever comes early waits in the queue.
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(reader_app(seed=0), log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        await serving
