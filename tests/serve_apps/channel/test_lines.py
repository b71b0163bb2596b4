"""Laws of a gateway's lines: each request has its own answer, or its own failure."""

import asyncio
import signal
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from serve_apps.channel.frames import MOST_BYTES
from serve_apps.channel.lines import LineLostError
from tests.serve_apps.channel.ends import (
    SLOT,
    asking,
    connected,
    echo,
    lines,
    listener,
    opened,
    replica,
    until,
)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 5), st.text(max_size=20)), min_size=1, max_size=20))
def test_answers_find_their_requests_in_whatever_order_they_come(asked):
    async def answered():
        async with connected() as (_, _, line):
            doing = [
                asyncio.create_task(line.ask(asking(said=said, sleep_s=turn / 1e3)))
                for turn, said in asked
            ]
            return [(await one)["said"] for one in doing]

    assert asyncio.run(answered()) == [said for _, said in asked]


async def test_events_come_before_their_answer_in_order():
    heard = []

    async with connected() as (_, _, line):
        await line.ask({"heard": True, "events": 50}, lambda _, one: heard.append(one["number"]))

    assert heard == list(range(50))


async def test_whoever_stops_waiting_cancels_the_request_there():
    async with connected() as (there, _, line):
        task = asyncio.create_task(line.ask(asking(sleep_s=60.0)))
        await until(lambda: there.ongoing == 1)

        task.cancel()
        await until(lambda: there.ongoing == 0)

        assert line.ongoing == 0
        assert await line.ask(asking(said="after"))


async def test_a_request_cancelled_before_it_began_leaves_nothing_behind():
    async with connected() as (there, _, line):
        task = asyncio.create_task(line.ask(asking(sleep_s=60.0)))
        await asyncio.sleep(0)
        task.cancel()
        await line.ask(asking())
        await until(lambda: there.ongoing == 0)

        assert line.ongoing == 0


async def test_a_listener_that_fails_fails_its_own_request_and_no_other():
    def deaf(kind, content):
        raise RuntimeError("deaf")

    async with connected() as (there, _, line):
        other = asyncio.create_task(line.ask(asking(sleep_s=0.05, said="heard")))

        with pytest.raises(RuntimeError, match="deaf"):
            await line.ask({"heard": True, "sleep_s": 60.0}, deaf)

        assert (await other)["said"] == "heard"
        await until(lambda: there.ongoing == 0)


@pytest.mark.parametrize("said", [2**70, object(), "x" * MOST_BYTES])
async def test_what_cannot_travel_is_the_askers_error(said):
    async with connected() as (_, _, line):
        with pytest.raises(ConfigError, match="can't be sent on"):
            await line.ask(asking(said=said))

        assert line.ongoing == 0
        assert (await line.ask(asking(said="after")))["said"] == "after"


async def test_a_failing_slot_answers_with_what_it_failed_with():
    async with connected() as (_, _, line):
        found = await line.ask(asking(fails="a bug"))

    assert (found["status"], found["error"]) == ("error", "internal")
    assert "a bug" in found["message"]


async def test_an_answer_that_cannot_travel_is_a_failure_not_a_silence():
    async def odd(request, emit):
        return {"odd": object()}

    async with connected(answer=odd) as (_, _, line):
        found = await line.ask(asking())

    assert found["error"] == "unsendable"


async def test_an_event_that_cannot_travel_costs_nobody_the_answer():
    async def odd(request, emit):
        emit("node", {"odd": object()})
        return {"said": "so"}

    async with connected(answer=odd) as (_, _, line):
        assert (await line.ask({"heard": True}, print))["said"] == "so"


async def test_a_killed_replica_fails_what_it_was_asked_at_once():
    async with replica() as (process, address), lines(address) as here:
        line = await opened(here)
        asked = asyncio.create_task(line.ask(asking(sleep_s=60.0)))
        await asyncio.sleep(0.05)

        process.kill()

        with pytest.raises(LineLostError):
            await asyncio.wait_for(asked, 5.0)
        with pytest.raises(LineLostError):
            await line.ask(asking())
        assert here.choose(SLOT) is None


async def test_a_frozen_replica_is_passed_over_and_then_given_up():
    async with (
        replica() as (process, address),
        listener() as other,
        lines(address, other.address) as here,
    ):
        await until(lambda: len(here._lines) == 2)
        frozen = here._lines[address]
        asked = asyncio.create_task(frozen.ask(asking(sleep_s=60.0)))
        await asyncio.sleep(0.05)

        process.send_signal(signal.SIGSTOP)

        await until(lambda: not frozen.keeps_up(here._patience))
        assert frozen not in [here.choose(SLOT) for _ in range(20)]
        with pytest.raises(LineLostError):
            await asyncio.wait_for(asked, 5.0)


async def test_a_replica_that_thaws_is_asked_again():
    async with replica() as (process, address), lines(address) as here:
        line = await opened(here)
        process.send_signal(signal.SIGSTOP)
        await until(line.lost.is_set)

        process.send_signal(signal.SIGCONT)

        again = await opened(here, other_than=line)
        assert (await again.ask(asking()))["pid"] == process.pid


async def test_a_gateway_that_was_frozen_takes_nobody_for_dead():
    async with connected() as (_, here, line):
        for _ in range(3):
            # Longer than the patience as a whole: the loop itself stands still.
            time.sleep(0.3)  # noqa: ASYNC251
            await asyncio.sleep(0.05)

        assert here.choose(SLOT) is line


async def test_a_line_is_opened_again_after_it_was_cut():
    async with connected() as (there, here, line):
        next(iter(there.lines))._transport.abort()
        await until(line.lost.is_set)

        again = await opened(here, other_than=line)

        assert (await again.ask(asking(said="again")))["said"] == "again"


async def test_a_port_that_another_listener_got_is_not_the_replica_that_was_meant():
    async with listener() as there:
        stale = there.address.partition("/")[0] + "/00000000"
        async with lines(stale) as here:
            await asyncio.sleep(0.2)

            assert here.choose(SLOT) is None
            assert there.lines == set()


async def test_a_stranger_with_another_secret_is_never_asked():
    async with listener(secret=b"another's") as there, lines(there.address) as here:
        await asyncio.sleep(0.2)

        assert here.choose(SLOT) is None
        assert there.lines == set()


async def test_a_replica_that_nobody_wants_any_more_ends_what_it_began_and_is_hung_up():
    async with connected() as (there, here, line):
        asked = asyncio.create_task(line.ask(asking(sleep_s=0.1, said="late")))
        await until(lambda: there.ongoing == 1)

        here.follow({})

        assert here.choose(SLOT) is None
        assert (await asked)["said"] == "late"
        await until(lambda: there.lines == set())


async def test_a_listener_that_says_nothing_is_not_waited_for_for_ever():
    async def mute(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, lines(f"127.0.0.1:{port}/aa") as here:
        await asyncio.sleep(0.05)
        (keeper,) = here._keepers.values()

        here.close()
        ended, _ = await asyncio.wait([keeper], timeout=5.0)
        await until(lambda: not [one for one in asyncio.all_tasks() if "mute" in repr(one)])

        assert ended == {keeper}


async def test_the_less_busy_replica_is_asked():
    async with listener() as one, listener() as other, lines(one.address, other.address) as here:
        await until(lambda: len(here._lines) == 2)
        doing = []
        for _ in range(10):
            doing.append(asyncio.create_task(here.choose(SLOT).ask(asking(sleep_s=60.0))))
            await asyncio.sleep(0)

        await until(lambda: one.ongoing + other.ongoing == 10)

        assert one.ongoing == other.ongoing == 5
        for each in doing:
            each.cancel()
        await asyncio.wait(doing)


async def test_a_replica_tells_what_its_machine_has_free():
    async with connected(answer=echo) as (_, _, line):
        await until(lambda: line.resources is not None)

        assert line.resources.cores >= 1
        assert 0.0 <= line.resources.busy <= 1.0
        assert 0.0 < line.resources.memory_free < 1.0
