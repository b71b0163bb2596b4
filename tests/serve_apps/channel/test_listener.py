"""Laws of a replica's listener: only gateways of its workspace are heard, and none is cut short."""

import asyncio
import os

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_apps.channel.frames import ASK, MOST_WAITING_BYTES, proof
from serve_apps.channel.lines import Patience
from tests.serve_apps.channel.ends import (
    SECRET,
    SLOT,
    asking,
    connected,
    lines,
    listener,
    opened,
    until,
)

CALM = Patience(ping_s=60.0)


class Raw:
    """A peer that says what it likes."""

    def __init__(self, streams, address):
        self.reader, self.writer = streams
        self.address = address

    @classmethod
    async def to(cls, there):
        host, _, port = there.address.partition("/")[0].rpartition(":")
        return cls(await asyncio.open_connection(host, int(port)), there.address)

    async def hello(self, secret=SECRET):
        nonce = msgpack.unpackb(await self.reader.readexactly(18))
        said = proof(secret, "gateway", self.address, nonce)
        self.say([os.urandom(16), said])
        if secret == SECRET:
            await self.reader.readexactly(34)

    def say(self, frame):
        self.writer.write(msgpack.packb(frame))

    async def is_cut_off(self):
        try:
            while await asyncio.wait_for(self.reader.read(1 << 16), 5.0):
                pass
        except ConnectionError:
            pass
        self.writer.close()
        return True


@settings(deadline=None, max_examples=30)
@given(st.binary(min_size=1, max_size=400))
def test_whoever_proves_nothing_is_cut_off_and_asks_nothing(noise):
    asked = []

    async def answer(request, emit):
        asked.append(request)
        return {}

    async def said():
        async with listener(answer, welcome_s=0.05) as there:
            peer = await Raw.to(there)
            peer.writer.write(noise)
            assert await peer.is_cut_off()
            assert there.lines == set()

    asyncio.run(said())

    assert asked == []


async def test_whoever_says_nothing_is_cut_off():
    async with listener(welcome_s=0.05) as there:
        peer = await Raw.to(there)

        assert await peer.is_cut_off()


async def test_a_gateway_of_another_workspace_is_cut_off():
    async with listener() as there:
        peer = await Raw.to(there)
        await peer.hello(b"another's")

        assert await peer.is_cut_off()
        assert there.lines == set()


@settings(deadline=None, max_examples=30)
@given(st.binary(min_size=1, max_size=200))
def test_a_gateway_that_talks_nonsense_is_cut_off_and_the_others_go_on(noise):
    async def said():
        async with connected() as (there, _, line):
            peer = await Raw.to(there)
            await peer.hello()
            # Ends with a byte that msgpack has no use for.
            peer.writer.write(noise + b"\xc1" * 9)
            asked = asyncio.create_task(line.ask(asking(said="mine", sleep_s=0.01)))
            peer.writer.write_eof()
            await peer.is_cut_off()
            assert (await asked)["said"] == "mine"

    asyncio.run(said())


async def test_a_number_asked_twice_is_no_gateway_of_ours():
    async with listener() as there:
        peer = await Raw.to(there)
        await peer.hello()

        peer.say([ASK, 1, asking(sleep_s=60.0)])
        peer.say([ASK, 1, asking(sleep_s=60.0)])

        assert await peer.is_cut_off()
        await until(lambda: there.load._ongoing == 0)


async def test_what_a_gateway_asked_ends_with_its_line():
    async with listener() as there:
        peer = await Raw.to(there)
        await peer.hello()
        peer.say([ASK, 1, asking(sleep_s=60.0)])
        await until(lambda: there.ongoing == 1)

        peer.writer.transport.abort()

        await until(lambda: there.load._ongoing == 0)
        assert there.lines == set()


async def test_a_replica_that_leaves_answers_everything_that_was_asked():
    async with connected() as (there, here, line):
        doing = [
            asyncio.create_task(line.ask(asking(sleep_s=number / 100, said=number)))
            for number in range(10)
        ]
        await asyncio.sleep(0)

        # What is asked in the very turn in which it leaves is answered, too.
        closing = asyncio.create_task(there.close(5.0))
        late = asyncio.create_task(line.ask(asking(said="late")))
        answers = [(await one)["said"] for one in doing]

        assert answers == list(range(10))
        assert (await late)["said"] == "late"
        await asyncio.wait_for(closing, 5.0)
        assert here.choose(SLOT) is None


async def test_an_idle_replica_leaves_at_once():
    async with connected() as (there, _, _):
        await asyncio.wait_for(there.close(60.0), 5.0)

        assert there.lines == set()


async def test_a_gateway_that_never_hangs_up_is_left_after_a_time():
    async with listener() as there:
        peer = await Raw.to(there)
        await peer.hello()

        await asyncio.wait_for(there.close(0.05), 5.0)

        assert await peer.is_cut_off()


async def test_whoever_comes_while_a_replica_leaves_is_not_welcome():
    async with listener() as there:
        first, second = await Raw.to(there), await Raw.to(there)
        await first.hello()
        closing = asyncio.create_task(there.close(0.2))
        await asyncio.sleep(0.02)

        nonce = msgpack.unpackb(await second.reader.readexactly(18))
        second.say([os.urandom(16), proof(SECRET, "gateway", there.address, nonce)])

        assert await second.is_cut_off()
        await closing


async def test_a_gateway_that_reads_nothing_is_cut_off_before_it_fills_the_memory():
    emitted = 0

    async def torrent(request, emit):
        nonlocal emitted
        while True:
            emit("chunk", {"text": "x" * (1 << 20)})
            emitted += 1
            await asyncio.sleep(0)

    async with listener(torrent) as there:
        peer = await Raw.to(there)
        await peer.hello()
        peer.writer.transport.pause_reading()
        peer.say([ASK, 1, {"heard": True}])

        await until(lambda: there.load._ongoing == 0 and emitted > 0)

        assert emitted << 20 < 2 * MOST_WAITING_BYTES
        peer.writer.transport.abort()


async def test_a_replica_that_reads_nothing_lets_requests_wait_not_bytes():
    async with connected() as (there, here, line):
        (theirs,) = there.lines
        theirs._transport.pause_reading()
        text = "x" * (1 << 20)

        doing = [asyncio.create_task(line.ask(asking(said=text))) for _ in range(32)]
        await until(lambda: not line.keeps_up(here._patience))
        held = line._transport.get_write_buffer_size()
        theirs._transport.resume_reading()

        assert all([(await one)["said"] == text for one in doing])
        assert held <= 64 << 20


async def test_many_large_answers_all_arrive():
    async with connected() as (_, _, line):
        doing = [asyncio.create_task(line.ask(asking(said="y" * (2 << 20)))) for _ in range(24)]

        assert all([len((await one)["said"]) == 2 << 20 for one in doing])


@pytest.mark.parametrize("gateways", [1, 3])
async def test_the_load_is_that_of_all_gateways(gateways):
    async with listener() as there, asyncio.TaskGroup() as group:
        doing = []
        for _ in range(gateways):
            here = await group.create_task(_line(there, doing))
            assert here is not None
        there.load.since()
        await asyncio.sleep(0.05)

        assert there.load.since() == pytest.approx(gateways)
        for each in doing:
            each.cancel()


async def _line(there, doing):
    held = lines(there.address, patience=CALM)
    here = await held.__aenter__()
    line = await opened(here)
    before = there.ongoing
    doing.append(asyncio.create_task(line.ask(asking(sleep_s=60.0))))
    await until(lambda: there.ongoing == before + 1)
    return here
