import subprocess
import sys

MAKING = """
import asyncio, pathlib, sys, tempfile
from engine.config.observability import Observability
from serve_apps.slot import Slot

async def tell():
    slot = Slot.__new__(Slot)
    with tempfile.TemporaryDirectory() as root:
        await slot.__init__(root, {}, "none", Observability())
        slot.check_health()
        try:
            await slot.warm("docs", "v")
        except ImportError:
            pass
        try:
            slot.check_health()
        except ImportError as error:
            print("unhealthy", error.name)
        await slot.__del__()
        print("closed")

sys.modules["serve_apps.answering"] = None
asyncio.run(tell())
"""


def test_a_replica_that_can_not_make_ready_is_unhealthy_and_still_ends():
    said = subprocess.run(
        [sys.executable, "-c", MAKING], capture_output=True, text=True, timeout=60.0, check=False
    )

    assert said.stdout.split("\n")[:2] == ["unhealthy serve_apps.answering", "closed"], said.stderr
