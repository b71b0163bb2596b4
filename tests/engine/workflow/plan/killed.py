"""A process that begins an order and dies in the middle of it, for a test."""

import asyncio
import os
import signal
import sys

from engine.workflow.plan.runs import Runs
from tests.engine.workflow.plan.flows import a_run, runner
from tests.engine.workflow.plan.orders import order, tools


async def main(path, journal_url):
    def die(order):
        os.kill(os.getpid(), signal.SIGKILL)

    having = tools(path, pay_hook=die if len(sys.argv) > 3 else None)
    ended = await runner(order(), having, Runs(journal_url)).run({"order": "o1"}, a_run("r1"))
    sys.stdout.write(str(ended.output))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
