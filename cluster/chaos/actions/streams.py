"""Streams that end in their middle: the server's end of them dies, or the client's leaves."""

import contextlib
import json
import signal
import time
from collections.abc import Iterator

import openai
import psutil
from openai.types.chat import ChatCompletionChunk

from cluster.chaos.family import family
from cluster.chaos.scenario import NAME
from cluster.chaos.stage import GONE_S, Done, Stage
from engine.testing.faults.outcomes import Answer
from engine.testing.faults.script import Match, Rule

SLOWLY = "slowly one two three four five six seven eight nine ten"
PIECES = Answer(words_per_chunk=1, chunk_delay_s=0.15)
"""Twelve pieces: a stream of less than two seconds."""
TOLD = 3
"""Pieces that a client has heard when the stream is cut."""
TIMEOUT_S = 10.0
AT_ONCE = "all pieces came at once: the answer was not streamed"


def replica_dies(stage: Stage) -> Done:
    """The only replica of the candidate is killed in the middle of its answer."""
    replica = _replica_of(stage, stage.candidate)
    if replica is None:
        return Done("", wrong=f"no replica seats {stage.candidate}")
    before, over_at = stage.pids("slot"), 0.0
    stage.play(Rule(match=Match(says=SLOWLY), outcome=PIECES))
    told, wrong, began = 0, "a stream without its end looked whole to its client", time.monotonic()
    try:
        with _streamed(stage) as stream:
            for told, _ in enumerate(stream, start=1):
                if told == TOLD:
                    wrong = wrong if time.monotonic() - began > PIECES.chunk_delay_s else AT_ONCE
                    over_at = time.time()
                    replica.send_signal(signal.SIGKILL)
    except openai.APIError as error:
        wrong = "" if told >= TOLD else f"the stream failed before it was cut: {error}"
    stage.play()
    if not over_at:
        return Done("", wrong=f"{wrong}; {told} pieces came")
    psutil.wait_procs([replica], timeout=GONE_S)
    pid, took_s = stage.wait_for_another("slot", before)
    again = f"{pid} in its place after {took_s:.1f} s"
    return Done(
        f"slot {replica.pid} was killed after {told} pieces; {again}",
        aimed_at=stage.candidate,
        over_at=over_at,
        wrong=wrong,
    )


def client_leaves(stage: Stage) -> Done:
    """A client hangs up in the middle of its answer; the model's connection must be let go."""
    stage.play(Rule(match=Match(says=SLOWLY), outcome=PIECES), rates={})
    began = time.monotonic()
    with _streamed(stage) as stream:
        for told, _ in enumerate(stream, start=1):
            if told == TOLD:
                break
    streamed = time.monotonic() - began > PIECES.chunk_delay_s
    give_up = time.monotonic() + GONE_S
    while not (left := stage.model.served()["left"]) and time.monotonic() < give_up:
        time.sleep(0.1)
    stage.play()
    still = "" if left else f"the model was still listened to {GONE_S:g} s later"
    return Done(f"a client left after {TOLD} pieces", wrong=still if streamed else AT_ONCE)


def _asked(client: openai.OpenAI, stage: Stage) -> openai.Stream[ChatCompletionChunk]:
    """A stream of the candidate's, once its model is asked again after an earlier fault."""
    give_up = time.monotonic() + GONE_S
    while True:
        try:
            return client.chat.completions.create(
                model=NAME,
                messages=[{"role": "user", "content": SLOWLY}],
                stream=True,
                extra_headers={"x-trimtab-variant": stage.candidate},
            )
        except openai.InternalServerError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.5)


@contextlib.contextmanager
def _streamed(stage: Stage) -> Iterator[openai.Stream[ChatCompletionChunk]]:
    """A candidate's answer as it comes."""
    with (
        openai.OpenAI(
            base_url=f"{stage.serving.url}/v1", api_key="none", max_retries=0, timeout=TIMEOUT_S
        ) as client,
        _asked(client, stage) as stream,
    ):
        yield stream


def _replica_of(stage: Stage, variant: str) -> psutil.Process | None:
    """The process of the slot that seats this variant."""
    told = json.loads(stage.serving.command("status", "--json").stdout.splitlines()[-1])
    seats = (told["cluster"] or {}).get("seats", {})
    slots = [slot for slot, seat in seats.items() if seat["variant"] == variant]
    for process in family(stage.root).get("slot", []):
        title = " ".join(process.cmdline())
        if any(f":{slot}:" in title for slot in slots):
            return process
    return None
