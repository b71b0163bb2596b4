import asyncio
import socket
import subprocess
import sys
import uuid

import pytest

from engine.config.caching import Caching, Memory
from engine.errors import ConfigError
from engine.workflow.caching.guarded import GuardedStore
from engine.workflow.caching.levels import Levels
from engine.workflow.caching.memory import MemoryStore
from engine.workflow.caching.opening import opened, shared
from engine.workflow.caching.redis import RedisStore
from engine.workflow.caching.sqlite import SqliteStore
from engine.workflow.caching.store import StoreGoneError


@pytest.fixture(params=["memory", "sqlite", "redis", "levels"])
async def store(request, tmp_path, redis_url):
    kinds = {
        "memory": MemoryStore,
        "sqlite": lambda: SqliteStore(tmp_path / "cache.db"),
        "redis": lambda: RedisStore(redis_url),
        "levels": lambda: Levels(MemoryStore(), SqliteStore(tmp_path / "far.db"), near_ttl_s=60.0),
    }
    made = kinds[request.param]()
    yield made
    await made.close()


@pytest.fixture
def name():
    return uuid.uuid4().hex


async def test_what_was_put_is_found(store, name):
    await store.put(name, "k", b"\x00 bytes \xff" * 100, 60.0)

    found = await store.get(name, "k")

    assert found.value == b"\x00 bytes \xff" * 100
    assert 0.0 < found.left_s <= 60.0


async def test_what_was_never_put_is_not_found(store, name):
    assert await store.get(name, "k") is None


async def test_a_later_value_takes_the_place_of_an_earlier_one(store, name):
    await store.put(name, "k", b"one", 60.0)
    await store.put(name, "k", b"two", 60.0)

    assert (await store.get(name, "k")).value == b"two"


async def test_an_entry_expires(store, name):
    await store.put(name, "k", b"v", 0.05)
    await asyncio.sleep(0.1)

    assert await store.get(name, "k") is None


async def test_an_entry_is_found_in_no_other_namespace(store, name):
    await store.put(name, "k", b"v", 60.0)

    assert await store.get(name + "*", "k") is None
    assert await store.get("*", "k") is None


async def test_dropping_a_namespace_forgets_all_of_it_and_nothing_else(store, name):
    for key in ("a", "b"):
        await store.put(name, key, b"v", 60.0)
        await store.put(name + "2", key, b"kept", 60.0)

    await store.drop(name)

    assert [await store.get(name, key) for key in ("a", "b")] == [None, None]
    assert (await store.get(name + "2", "a")).value == b"kept"


async def test_an_empty_value_is_a_value(store, name):
    await store.put(name, "k", b"", 60.0)

    assert (await store.get(name, "k")).value == b""


async def test_many_callers_at_once_each_get_their_own(store, name):
    async def there_and_back(n):
        await store.put(name, str(n), str(n).encode(), 60.0)
        return (await store.get(name, str(n))).value

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(there_and_back(n)) for n in range(40)]

    assert [task.result() for task in tasks] == [str(n).encode() for n in range(40)]


class Clock:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


async def test_memory_pushes_out_what_was_used_longest_ago():
    store = MemoryStore(Memory(entries=2))
    await store.put("n", "a", b"", 60.0)
    await store.put("n", "b", b"", 60.0)
    await store.get("n", "a")

    await store.put("n", "c", b"", 60.0)

    assert [await store.get("n", key) is not None for key in "abc"] == [True, False, True]


async def test_memory_keeps_within_its_bytes():
    store = MemoryStore(Memory(bytes=100))

    for n in range(50):
        await store.put("n", str(n), b"x" * 40, 60.0)
    await store.put("n", "huge", b"x" * 101, 60.0)

    kept = [n for n in range(50) if await store.get("n", str(n))]
    assert kept == [48, 49]
    assert await store.get("n", "huge") is None


async def test_memory_says_how_long_an_entry_is_left():
    clock = Clock()
    store = MemoryStore(clock=clock)
    await store.put("n", "k", b"v", 10.0)

    clock.now_s = 4.0

    assert (await store.get("n", "k")).left_s == 6.0


async def test_a_file_survives_a_restart(tmp_path):
    first = SqliteStore(tmp_path / "cache.db")
    await first.put("n", "k", b"v", 60.0)
    await first.close()

    second = SqliteStore(tmp_path / "cache.db")

    assert (await second.get("n", "k")).value == b"v"
    await second.close()


async def test_two_processes_share_a_file(tmp_path):
    store = SqliteStore(tmp_path / "cache.db")
    await store.put("n", "mine", b"here", 60.0)
    other = (
        "import asyncio, pathlib, sys\n"
        "from engine.workflow.caching.sqlite import SqliteStore\n"
        "async def main():\n"
        "    store = SqliteStore(pathlib.Path(sys.argv[1]))\n"
        "    print((await store.get('n', 'mine')).value.decode())\n"
        "    await store.put('n', 'theirs', b'there', 60.0)\n"
        "    await store.close()\n"
        "asyncio.run(main())\n"
    )

    said = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", other, str(tmp_path / "cache.db")],
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout.strip() == "here"
    assert (await store.get("n", "theirs")).value == b"there"
    await store.close()


async def test_expired_rows_are_swept_from_the_file(tmp_path):
    clock = Clock()
    store = SqliteStore(tmp_path / "cache.db", clock=clock)
    await store.put("n", "old", b"v" * 100, 1.0)

    clock.now_s = 10.0
    for n in range(256):
        await store.put("n", str(n), b"v", 60.0)

    clock.now_s = 0.5
    assert await store.get("n", "old") is None
    assert await store.get("n", "1") is not None
    await store.close()


async def test_a_file_that_is_no_database_is_a_store_that_is_gone(tmp_path):
    path = tmp_path / "cache.db"
    path.write_bytes(b"no database " * 1_000)
    store = SqliteStore(path)

    with pytest.raises(StoreGoneError, match="not a database"):
        await store.get("n", "k")
    await store.close()


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def test_a_server_that_is_gone_is_a_miss_a_count_and_a_pause():
    clock = Clock()
    store = GuardedStore(RedisStore(f"redis://127.0.0.1:{closed_port()}/0"), clock=clock)

    assert await store.get("n", "k") is None
    await store.put("n", "k", b"v", 60.0)
    counted = store.errors
    clock.now_s = 5.1
    await store.get("n", "k")

    assert (counted, store.errors) == (1, 2)
    await store.close()


async def test_a_server_that_never_answers_is_not_waited_for():
    async def silent(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    store = GuardedStore(RedisStore(f"redis://127.0.0.1:{port}/0"))

    async with asyncio.timeout(2.0):
        assert await store.get("n", "k") is None

    assert store.errors == 1
    await store.close()
    server.close()


class Failing(MemoryStore):
    """Memory whose line is cut as long as `gone`."""

    gone = False

    async def get(self, namespace, key):
        self._reach()
        return await super().get(namespace, key)

    async def drop(self, namespace):
        self._reach()
        await super().drop(namespace)

    def _reach(self):
        if self.gone:
            raise StoreGoneError("cut")


async def test_a_drop_that_failed_is_made_good_before_the_next_read():
    clock = Clock()
    inner = Failing()
    store = GuardedStore(inner, clock=clock)
    await store.put("n", "k", b"v", 600.0)
    inner.gone = True
    await store.drop("n")
    while_gone = await store.get("n", "k")

    inner.gone = False
    during_the_pause = await store.get("n", "k")
    clock.now_s = 6.0
    after = await store.get("n", "k")

    assert (while_gone, during_the_pause, after) == (None, None, None)
    await store.put("n", "k", b"new", 600.0)
    assert (await store.get("n", "k")).value == b"new"


async def test_a_copy_near_by_lives_no_longer_than_its_original():
    clock = Clock()
    near, far = MemoryStore(clock=clock), MemoryStore(clock=clock)
    await far.put("n", "k", b"v", 100.0)
    levels = Levels(near, far, near_ttl_s=60.0)

    clock.now_s = 90.0
    await levels.get("n", "k")

    assert (await near.get("n", "k")).left_s == 10.0


async def test_another_process_forgets_what_was_dropped_after_the_near_ttl():
    clock = Clock()
    far = MemoryStore(clock=clock)
    here, there = (Levels(MemoryStore(clock=clock), far, near_ttl_s=60.0) for _ in range(2))
    await here.put("n", "k", b"v", 3_600.0)
    await there.get("n", "k")

    await here.drop("n")

    assert await here.get("n", "k") is None
    clock.now_s = 61.0
    assert await there.get("n", "k") is None


@pytest.mark.parametrize("url", ["mysql://x", "sqlite://", "redis://", "sqlite:///", "nothing"])
def test_a_url_that_names_no_store_says_what_to_write(url):
    with pytest.raises(ConfigError, match="memory:"):
        shared(url)


async def test_the_configured_store_is_opened(tmp_path, redis_url):
    for url in ("memory:", f"sqlite:///{tmp_path}/cache.db", redis_url):
        store = opened(Caching(store=url))

        await store.put("opened", "k", b"v", 60.0)

        assert (await store.get("opened", "k")).value == b"v"
        await store.close()
