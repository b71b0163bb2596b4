"""An asker that says what a test wrote, for tests."""

import time

from engine.workflow.reply import Reply, Usage
from engine.workflow.run import Run
from engine.workflow.spans import Timeline


class Says:
    """Gives the scripted answers in turn, the last one for ever; raises those that are errors."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self.heard = []

    async def ask(self, messages, run, *, node, **more):
        self.heard.append((node, more.get("tier"), list(messages)))
        answer = self._answers[0]
        if len(self._answers) > 1:
            self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Reply(answer, (), Usage(1, 1, 0.0), "a-model")


def a_run():
    spans = []
    run = Run("r", time.monotonic() + 10.0, Timeline(spans))
    return run, spans
