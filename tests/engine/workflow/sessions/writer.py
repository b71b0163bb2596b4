"""Another process that adds turns to conversations, and says each one once it is kept."""

import asyncio
import sys
from itertools import count
from pathlib import Path

from engine.workflow.sessions.session import amended
from engine.workflow.sessions.sqlite import SqliteSessions


async def main(path, conversation, turns):
    sessions = SqliteSessions(Path(path))
    for n in range(int(turns)) if turns else count():
        text = f"{conversation}-{n}"
        await amended(sessions, conversation, lambda session, text=text: session.noted(text, "x"))
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    sessions.close()


asyncio.run(main(*sys.argv[1:]))
