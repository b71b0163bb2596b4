"""Opens the tools that a variant's settings ask for, and closes them again."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from engine.config import tools as config
from engine.workflow.tooling.builtin.network import call_api, fetch_page, web_search
from engine.workflow.tooling.builtin.plain import Find, calculator, clock, corpus_search
from engine.workflow.tooling.builtin.sql import ask_database
from engine.workflow.tooling.builtin.web import Web
from engine.workflow.tooling.registry import Registry
from engine.workflow.tooling.tool import Tool


@asynccontextmanager
async def stocked(
    settings: config.Tools, find: Find | None = None, own: Iterable[Tool] = ()
) -> AsyncIterator[Registry]:
    """Every tool that the settings name, with the caller's own; which are offered, scopes say.

    Raises:
        ConfigError: A database or a server is not there, a key is missing, a name is taken, or
            the settings name a tool that does not exist. A variant that silently lacked a tool
            would be measured as another one.
    """
    registry = Registry((calculator, clock, *own))
    if find is not None:
        registry.register(corpus_search(find))
    for database in settings.databases:
        registry.register(ask_database(database))
    async with AsyncExitStack() as stack:
        if settings.http.hosts:
            web = await stack.enter_async_context(Web(settings.http))
            registry.register(fetch_page(web))
            registry.register(call_api(web))
        if settings.search is not None:
            web = await stack.enter_async_context(Web(settings.search.http))
            registry.register(web_search(web, settings.search))
        for tool in await _served(settings.mcp, stack):
            registry.register(tool)
        registry.refuse_unknown(settings)
        yield registry


async def _served(servers: Iterable[config.McpServer], stack: AsyncExitStack) -> list[Tool]:
    if not servers:
        return []
    # Half a second of imports, which a workflow without such servers need not wait for.
    from engine.workflow.tooling.mcp_source import McpSource

    sources = [await stack.enter_async_context(McpSource(server)) for server in servers]
    return [tool for source in sources for tool in await source.tools()]
