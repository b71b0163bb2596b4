import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from engine.config import tools as config
from engine.errors import ConfigError
from engine.workflow.tooling.belt import Belt
from engine.workflow.tooling.stock import stocked
from engine.workflow.tooling.tool import tool
from tests.engine.workflow.tooling.belts import call, texts

SERVER = str(Path(__file__).with_name("mcp_server.py"))


@tool(effect="write")
async def remember(text: str) -> str:
    """Writes a text down."""
    return text


async def find(query, count):
    return [query]


@pytest.fixture
def database(tmp_path):
    path = str(tmp_path / "shop.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (id)")
    return config.Database(name="shop", path=path, tables=("t",))


async def test_every_tool_of_the_settings_is_there_and_the_granted_ones_are_offered(
    database, tmp_path
):
    command = (sys.executable, SERVER, str(tmp_path / "crashes"))
    settings = config.Tools(
        scopes=("corpus_search", "sql:shop", "mcp:shop", "clock"),
        settings={"clock": config.Tool(enabled=False)},
        http=config.Http(hosts=("docs.example.org",)),
        databases=(database,),
        search=config.Search(url="https://search.example.org/?q={query}"),
        mcp=(config.McpServer(name="shop", command=command, allow=("price",)),),
    )

    async with stocked(settings, find, (remember,)) as registry:
        belt = Belt(registry, settings)
        said = await texts(belt, call("corpus_search", query="tea"))

    assert registry.names() == [
        *("calculator", "clock", "remember", "corpus_search", "ask_shop"),
        *("fetch_page", "call_api", "web_search", "shop_price"),
    ]
    names = [schema["function"]["name"] for schema in belt.schemas()]
    assert names == ["corpus_search", "ask_shop", "shop_price"]
    assert said == ["[1] tea"]


async def test_without_settings_nothing_is_offered():
    async with stocked(config.Tools()) as registry:
        assert registry.names() == ["calculator", "clock"]
        assert Belt(registry, config.Tools()).schemas() == []


async def test_a_setting_for_a_tool_that_does_not_exist_is_refused():
    settings = config.Tools(prefetch={"any": (config.Likely(tool="clok"),)})

    with pytest.raises(ConfigError, match="did you mean `clock`"):
        async with stocked(settings):
            pass
