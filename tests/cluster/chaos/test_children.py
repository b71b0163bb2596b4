import contextlib
import socket
import threading
import time

from cluster.chaos.children import Model

AWAY_S = 0.3


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def test_a_model_is_away_for_as_long_as_it_was_told_and_then_serves_again():
    model = Model(seed=0)
    model.start()
    seen, over = [], threading.Event()

    def look():
        while not over.is_set():
            seen.append((time.monotonic(), listens(model.port)))
            time.sleep(0.01)

    watch = threading.Thread(target=look)
    watch.start()
    try:
        model.away(AWAY_S)
        over.set()
        watch.join()

        gone = [at for at, listening in seen if not listening]
        assert gone[-1] - gone[0] >= AWAY_S - 0.05
        assert model.served()["left"] == 0
    finally:
        over.set()
        model.kill()
