import socket
import threading
import time
from importlib.resources import files

import pytest
import redis
from fakeredis import TcpFakeServer
from limits import RateLimitItemPerHour

from engine.config.protection import Rate, Rates
from serve_apps.protection.counts import LocalCounts, SharedCounts
from serve_apps.protection.rates import rate_limits

FIVE = RateLimitItemPerHour(5, namespace="requests")


class Server(TcpFakeServer):
    daemon_threads = True


@pytest.fixture
def redis_url():
    pytest.importorskip("lupa", reason="Redis counts in scripts")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(("127.0.0.1", port), server_type="redis")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    # This server hangs up on whoever asks for a script that it doesn't know, instead of saying so.
    with redis.Redis(port=port) as client:
        for script in files("limits.resources.redis.lua_scripts").iterdir():
            if script.name.endswith(".lua"):
                client.script_load(script.read_text())
    yield f"redis://127.0.0.1:{port}/0"
    server.shutdown()
    server.server_close()


@pytest.fixture
def away():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield f"redis://127.0.0.1:{probe.getsockname()[1]}/0"


@pytest.fixture(params=["memory", "redis"])
def counts(request):
    if request.param == "memory":
        return LocalCounts()
    return SharedCounts(request.getfixturevalue("redis_url"))


async def test_no_more_than_the_limit_are_counted(counts):
    assert sum([await counts.hit(FIVE, "a") for _ in range(9)]) == 5
    assert (await counts.hits_left(FIVE, "a")).remaining == 0


async def test_what_was_had_is_owed_in_full(counts):
    await counts.spend(FIVE, "a", 500)

    left = await counts.unspent(FIVE, "a")

    assert left.remaining <= 0
    assert time.time() + 3_500 < left.reset_at <= time.time() + 3_601


async def test_names_are_counted_apart(counts):
    await counts.spend(FIVE, "a", 4)
    await counts.hit(FIVE, "b")

    assert (await counts.unspent(FIVE, "a")).remaining == 1
    assert (await counts.unspent(FIVE, "b")).remaining == 5


async def test_gateways_share_what_a_redis_counts(redis_url):
    one = rate_limits(_five_an_hour(redis_url), b"secret", 2)
    other = rate_limits(_five_an_hour(redis_url), b"secret", 2)

    admitted = [await (one, other)[turn % 2].admit("a", "qa") is None for turn in range(8)]

    assert sum(admitted) == 5


async def test_without_its_redis_a_gateway_counts_alone(away, caplog):
    limits = rate_limits(_five_an_hour(away), b"secret", 2)

    admitted = [await limits.admit("a", "qa") is None for _ in range(8)]

    assert sum(admitted) == 5
    assert [record.getMessage().split(" (")[0] for record in caplog.records] == [
        "rate limits: Redis is away"
    ]


def _five_an_hour(url):
    return Rates(each_key=(Rate(measure="requests", at_most=5, per="hour"),), store=url)
