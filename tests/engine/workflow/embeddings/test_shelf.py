import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.workflow.embeddings.shelf import Room, Shelf


class Model:
    def __init__(self, name, version, size):
        self.name, self.version, self.bytes = name, version, size
        self.closed = False

    async def close(self):
        self.closed = True


class Loader:
    """Loads models of ten bytes, each call of a name a version further."""

    def __init__(self):
        self.sizes = {}
        self.versions = {}
        self.made = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, name):
        await asyncio.sleep(0)
        version = self.versions[name] = self.versions.get(name, 0) + 1
        await self.gate.wait()
        if name == "broken":
            raise ValueError("broken")
        if name == "absent":
            raise ConfigError("absent")
        self.made.append(Model(name, version, self.sizes.get(name, 10)))
        return self.made[-1]


@pytest.fixture
def loader():
    return Loader()


@pytest.fixture
async def shelf(loader):
    made = Shelf(loader, Room(models=2, bytes=35))
    yield made
    await made.close()


async def used(shelf, name):
    async with shelf.using(name) as model:
        return model


def names(shelf):
    return [name for name, _, _ in shelf.held()]


async def test_a_model_is_loaded_once_for_all_who_wait(shelf, loader):
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(used(shelf, "a")) for _ in range(10)]

    assert len(loader.made) == 1
    assert all(task.result() is loader.made[0] for task in tasks)


async def test_the_least_recently_used_makes_room(shelf, loader):
    for name in ("a", "b", "a", "c"):
        await used(shelf, name)
    await asyncio.sleep(0.01)

    assert names(shelf) == ["a", "c"]
    assert [model.name for model in loader.made if model.closed] == ["b"]


async def test_memory_bounds_it_too(shelf, loader):
    loader.sizes = {"b": 30}

    await used(shelf, "a")
    await used(shelf, "b")

    assert names(shelf) == ["b"]


async def test_a_model_larger_than_the_room_is_refused_and_not_loaded_again(shelf, loader):
    loader.sizes = {"huge": 36}
    await used(shelf, "a")

    for _ in range(2):
        with pytest.raises(ConfigError, match="huge"):
            await used(shelf, "huge")

    assert names(shelf) == ["a"]
    assert loader.versions == {"a": 1, "huge": 1}
    assert loader.made[-1].closed


async def test_what_can_not_be_configured_is_refused_until_it_is_dropped(shelf, loader):
    for _ in range(2):
        with pytest.raises(ConfigError):
            await used(shelf, "absent")
    shelf.drop("absent")
    with pytest.raises(ConfigError):
        await used(shelf, "absent")

    assert loader.versions == {"absent": 2}


async def test_a_failure_of_the_moment_is_tried_again(shelf, loader):
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            await used(shelf, "broken")

    assert loader.versions == {"broken": 2}


async def test_a_model_in_use_is_closed_after_its_last_user(shelf, loader):
    async with shelf.using("a") as model:
        await used(shelf, "b")
        await used(shelf, "c")
        await asyncio.sleep(0.01)
        assert not model.closed
    await asyncio.sleep(0.01)

    assert model.closed


async def test_while_one_loads_the_others_answer(shelf, loader):
    await used(shelf, "a")
    loader.gate.clear()
    waiting = asyncio.create_task(used(shelf, "b"))
    await asyncio.sleep(0.01)

    assert (await used(shelf, "a")).name == "a"

    loader.gate.set()
    assert (await waiting).name == "b"


async def test_one_who_goes_away_leaves_the_loading_to_the_others(shelf, loader):
    loader.gate.clear()
    leaving, staying = (asyncio.create_task(used(shelf, "a")) for _ in range(2))
    await asyncio.sleep(0.01)

    leaving.cancel()
    loader.gate.set()

    assert (await staying).version == 1
    assert loader.versions == {"a": 1}


async def test_a_renewed_model_comes_whole_and_the_old_one_ends_its_requests(shelf, loader):
    async with shelf.using("a") as old:
        loader.gate.clear()
        renewing = asyncio.create_task(shelf.renew("a"))
        await asyncio.sleep(0.01)
        assert (await used(shelf, "a")) is old
        loader.gate.set()
        await renewing
        assert (await used(shelf, "a")).version == 2
        assert not old.closed
    await asyncio.sleep(0.01)

    assert old.closed


async def test_a_renewal_that_fails_leaves_the_old_one(shelf, loader):
    first = await used(shelf, "a")
    loader.sizes = {"a": 36}

    with pytest.raises(ConfigError):
        await shelf.renew("a")

    assert (await used(shelf, "a")) is first
    assert not first.closed


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(["use", "renew", "drop"]), st.sampled_from("abcd")), max_size=40
    ),
    st.integers(1, 3),
)
async def test_no_user_ever_meets_a_closed_model_and_the_room_is_kept(steps, most):
    shelf = Shelf(Loader(), Room(models=most, bytes=1e9))
    served = []

    async def use(name):
        async with shelf.using(name) as model:
            for _ in range(3):
                await asyncio.sleep(0)
                served.append(not model.closed and model.name == name)

    async with asyncio.TaskGroup() as group:
        for action, name in steps:
            if action == "use":
                group.create_task(use(name))
            elif action == "renew":
                group.create_task(shelf.renew(name))
            else:
                shelf.drop(name)
            await asyncio.sleep(0)
    held = len(names(shelf))
    await shelf.close()

    assert all(served)
    assert held <= most
