import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from engine.config.tools import McpServer
from engine.errors import ConfigError
from engine.workflow.tooling.mcp_source import McpSource
from tests.engine.workflow.tooling.belts import a_belt, call, texts

SERVER = str(Path(__file__).with_name("mcp_server.py"))
EVERY = ("price", "reserve", "burn")


@pytest.fixture
def crashes(tmp_path):
    return tmp_path / "crashes"


def settings(crashes, allow=EVERY):
    return McpServer(name="shop", command=(sys.executable, SERVER, str(crashes)), allow=allow)


def process_of(text):
    return int(text.rsplit(" ", 1)[1])


def is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_servers_tools_are_called_as_its_hints_allow_until_it_is_closed(crashes):
    async with McpSource(settings(crashes)) as source:
        tools = await source.tools()
        belt = a_belt(*tools)
        said = await texts(
            belt,
            call("shop_price", "a", item="tea"),
            call("shop_reserve", "b", item="tea"),
            call("shop_burn", "c", item="tea"),
            call("shop_price", "d", item="gold"),
            call("shop_price", "e", thing="tea"),
        )
        assert is_alive(process_of(said[0]))

    assert [(tool.name, tool.effect) for tool in tools] == [
        ("shop_price", "read"),
        ("shop_reserve", "write"),
        ("shop_burn", "irreversible"),
    ]
    assert {tool.scopes for tool in tools} == {("mcp:shop",)}
    assert belt.schemas()[0]["function"]["parameters"]["required"] == ["item"]
    assert said[0].startswith("tea costs 3")
    assert said[1] == "tea is put aside"
    assert said[2] == "error: shop_burn needs approval, and nobody gives it"
    assert said[3].startswith("error: ")
    assert said[4].startswith("error: ")
    assert "item" in said[4]
    assert not is_alive(process_of(said[0]))


async def test_a_read_survives_a_server_that_died_and_an_effect_is_not_sent_twice(crashes):
    async with McpSource(settings(crashes)) as source:
        belt = a_belt(*await source.tools())
        first = await texts(belt, call("shop_price", item="tea"))
        crashes.write_text("once")
        again = await texts(belt, call("shop_price", item="tea"))
        crashes.write_text("once")
        effect = await texts(belt, call("shop_reserve", item="tea"))
        after = await texts(belt, call("shop_reserve", item="tea"))

    assert process_of(first[0]) != process_of(again[0])
    assert effect == ["error: reserve: the connection broke; whether it was done is not known"]
    assert after == ["tea is put aside"]


async def test_calls_that_broke_together_connect_once(crashes):
    async with McpSource(settings(crashes)) as source:
        belt = a_belt(*await source.tools())
        crashes.write_text("once")
        said = await texts(belt, *(call("shop_price", f"c{n}", item="tea") for n in range(4)))

    assert len({process_of(text) for text in said}) == 1


async def test_an_allowed_tool_that_the_server_lacks_is_refused(crashes):
    async with McpSource(settings(crashes, ("prices",))) as source:
        with pytest.raises(ConfigError, match="did you mean `price`"):
            await source.tools()


@pytest.mark.parametrize(
    "server",
    [
        McpServer(name="shop", command=("/nowhere/server",)),
        McpServer(name="shop", command=(sys.executable, "-c", "")),
        McpServer(name="shop", url="http://127.0.0.1:9/mcp"),
    ],
)
async def test_a_server_that_cannot_be_reached_is_refused(server):
    async with McpSource(server) as source:
        with pytest.raises(ConfigError, match="shop"):
            await source.tools()


async def test_a_server_may_also_listen_on_http(crashes):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        sys.executable, SERVER, str(crashes), str(port), stdout=quiet, stderr=quiet
    )
    try:
        await until_listening(port)
        server = McpServer(name="shop", url=f"http://127.0.0.1:{port}/mcp", allow=EVERY)
        async with McpSource(server) as source:
            said = await texts(a_belt(*await source.tools()), call("shop_price", item="tea"))
    finally:
        process.kill()
        await process.wait()

    assert process_of(said[0]) == process.pid


async def until_listening(port):
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                return


@pytest.mark.parametrize("change", [{}, {"command": ("x",), "url": "http://x"}])
def test_a_server_is_either_started_or_listened_to(change):
    with pytest.raises(ValueError, match="either"):
        McpServer(name="shop", **change)
