"""Tools that go out to the network: reading a page, calling an API, searching the web."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, Field, JsonValue

from engine.config.tools import Search
from engine.workflow.failure import ToolError
from engine.workflow.tooling.builtin.page import text_of
from engine.workflow.tooling.builtin.web import Web
from engine.workflow.tooling.tool import Tool, tool

HTML = ("text/html", "application/xhtml+xml")
Change = Literal["POST", "PUT", "PATCH", "DELETE"]


class Found(BaseModel):
    """One result of a web search."""

    title: str
    link: str
    snippet: str


def fetch_page(web: Web) -> Tool:
    """Reads what a GET of an allowed address gives."""

    @tool(effect="read", name="fetch_page", scopes=("http:read",))
    async def fetch(url: str) -> str:
        """Reads a web page or the JSON of an API; only some hosts are allowed.

        Args:
            url: The whole address, with https://.
        """
        page = await web.ask("GET", url)
        text = text_of(page.text) if page.kind in HTML else page.text
        return f"{text}\n[the page is longer]" if page.cut else text

    return fetch


def call_api(web: Web) -> Tool:
    """Changes something at an allowed host; nobody can say whether that can be undone."""

    @tool(effect="irreversible", name="call_api", scopes=("http:write",))
    async def call(method: Change, url: str, body: dict[str, JsonValue] | None = None) -> str:
        """Calls an API that changes something; only some hosts are allowed.

        Args:
            method: What the API expects.
            url: The whole address, with https://.
            body: Sent as JSON.
        """
        page = await web.ask(method, url, body)
        return page.text or f"status {page.status}"

    return call


def web_search(web: Web, settings: Search) -> Tool:
    """Searches the web through the endpoint that is configured."""

    @tool(effect="read", name="web_search", cache_ttl_s=1_800.0)
    async def search(query: str, count: Annotated[int, Field(ge=1, le=20)] = 5) -> list[Found]:
        """Searches the web.

        Args:
            query: A few key words.
            count: How many results.
        """
        url = settings.url.replace("{count}", str(count))
        page = await web.ask("GET", url.replace("{query}", quote(query, safe="")))
        return list(_found(page.text, settings))[:count]

    return search


def _found(text: str, settings: Search) -> Iterator[Found]:
    try:
        found: Any = json.loads(text)
        for name in settings.results.split("."):
            found = found[name]
        for each in found:
            title, link = each[settings.title], each[settings.link]
            yield Found(title=title, link=link, snippet=each.get(settings.snippet) or "")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"the search answered without a list of results at {settings.results!r}"
        raise ToolError("tool_unreadable", why, action="fallback") from error
