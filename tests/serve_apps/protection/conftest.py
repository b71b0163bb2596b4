import asyncio
import contextlib
import socket
import threading

import pytest
import uvicorn


class Listener:
    """A uvicorn server of one ASGI app, in a thread of its own."""

    def __init__(self, app, **options):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        config = uvicorn.Config(
            app, lifespan="off", access_log=False, log_config=None, loop="asyncio", **options
        )
        self.server = uvicorn.Server(config)
        self.server.install_signal_handlers = lambda: None
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self):
        asyncio.run(self.server.serve(sockets=[self.socket]))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.should_exit = self.server.force_exit = True
        self.thread.join(5.0)
        self.socket.close()

    def connected(self, receive_bytes=None):
        client = socket.socket()
        if receive_bytes is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        client.settimeout(5.0)
        client.connect(("127.0.0.1", self.port))
        return client

    def asked(self, *parts):
        """All that is answered to what is sent, up to the connection's end."""
        with self.connected() as client:
            for part in parts:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    client.sendall(part)
            return all_of(client)


def all_of(client):
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(1 << 16):
            got += part
    return got


@pytest.fixture
def listening():
    with contextlib.ExitStack() as stack:
        yield lambda app, **options: stack.enter_context(Listener(app, **options))
