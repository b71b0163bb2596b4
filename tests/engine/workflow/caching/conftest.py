import socket
import threading

import pytest
from fakeredis import TcpFakeServer


class Server(TcpFakeServer):
    request_queue_size = 128
    daemon_threads = True


@pytest.fixture(scope="session")
def redis_url():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(("127.0.0.1", port), server_type="redis")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"redis://127.0.0.1:{port}/0"
    server.shutdown()
    server.server_close()
