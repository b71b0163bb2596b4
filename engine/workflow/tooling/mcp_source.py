"""The tools of a Model Context Protocol server, offered under its name."""

import asyncio
import re
from types import TracebackType
from typing import Any, Self

import anyio
from mcp import Client, MCPError, StdioServerParameters
from mcp_types import CONNECTION_CLOSED, CallToolResult, TextContent, ToolAnnotations
from mcp_types import Tool as McpTool

from engine.config import tools as config
from engine.config.problem import did_you_mean
from engine.errors import ConfigError
from engine.workflow.failure import ToolError
from engine.workflow.tooling.schema import schema
from engine.workflow.tooling.tool import Tool

CONNECT_S = 10.0
MAX_PAGES = 100
MAX_NAME = 64


class McpSource:
    """One server; an async context manager that connects, and again once the connection broke."""

    def __init__(self, settings: config.McpServer) -> None:
        self._settings = settings
        self._connection = _Connection(settings)
        self._renewing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._connection.close()

    async def tools(self) -> list[Tool]:
        """The allowed tools of the server.

        Raises:
            ConfigError: The server can't be reached, or lacks an allowed tool.
        """
        name = self._settings.name
        try:
            known = {tool.name: tool for tool in await self._listed()}
        except (ToolError, MCPError) as error:
            raise ConfigError(f"mcp server {name!r}: {error}") from error
        for wanted in self._settings.allow:
            if wanted not in known:
                hint = did_you_mean(wanted, known)
                raise ConfigError(f"mcp server {name!r}: it has no tool {wanted!r}; {hint}")
        return [self._tool(known[wanted]) for wanted in self._settings.allow]

    async def _listed(self) -> list[McpTool]:
        client = await self._connection.client()
        listed: list[McpTool] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await client.list_tools(cursor=cursor)
            listed += page.tools
            cursor = page.next_cursor
            if cursor is None:
                break
        return listed

    def _tool(self, tool: McpTool) -> Tool:
        effect = effect_of(tool.annotations)
        # The protocol allows characters that the language model's does not.
        name = re.sub(r"[^A-Za-z0-9_-]", "_", f"{self._settings.name}_{tool.name}")[:MAX_NAME]

        async def invoke(arguments: dict[str, Any]) -> object:
            return await self._call(tool.name, arguments, effect)

        return Tool(
            name=name,
            effect=effect,
            schema=schema(name, tool.description or tool.name, tool.input_schema),
            # The server checks them, against a schema that may say more than ours could.
            check=dict,
            invoke=invoke,
            settings=config.Tool(
                timeout_s=self._settings.timeout_s, scopes=(f"mcp:{self._settings.name}",)
            ),
        )

    async def _call(self, tool: str, arguments: dict[str, Any], effect: config.Effect) -> str:
        connection = self._connection
        try:
            client = await connection.client()
        except ToolError:
            client = await (await self._renewed(connection)).client()
        try:
            return _text(await client.call_tool(tool, arguments))
        except (MCPError, anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            if isinstance(error, MCPError) and error.code != CONNECTION_CLOSED:
                raise ToolError("tool_arguments", f"{tool}: {error.message}") from error
            connection = await self._renewed(connection)
            if effect != "read":
                lost = f"{tool}: the connection broke; whether it was done is not known"
                raise ToolError("tool_unreachable", lost, action="fallback") from error
        try:
            return _text(await (await connection.client()).call_tool(tool, arguments))
        except (MCPError, anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            broke = f"{tool}: the connection broke twice"
            raise ToolError("tool_unreachable", broke, action="fallback") from error

    async def _renewed(self, broken: "_Connection") -> "_Connection":
        async with self._renewing:
            # Of many calls that broke together, the first one connects for all.
            if self._connection is broken:
                await broken.close()
                self._connection = _Connection(self._settings)
            return self._connection


def effect_of(hints: ToolAnnotations | None) -> config.Effect:
    """What a server says of a tool; of one that it says nothing of, the worst is assumed."""
    if hints is not None and hints.read_only_hint:
        return "read"
    if hints is not None and hints.destructive_hint is False:
        return "write"
    return "irreversible"


class _Connection:
    """Keeps a client open in a task of its own: it must be closed where it was opened."""

    def __init__(self, settings: config.McpServer) -> None:
        self._name = settings.name
        self._server: str | StdioServerParameters
        if settings.url is not None:
            self._server = settings.url
        else:
            command, *arguments = settings.command
            self._server = StdioServerParameters(command=command, args=arguments)
        self._leave = asyncio.Event()
        self._ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._keep())

    async def client(self) -> Client:
        """The open client.

        Raises:
            ToolError: The server can't be reached.
        """
        await asyncio.wait((self._ready,), timeout=CONNECT_S)
        failure = self._ready.exception() if self._ready.done() else TimeoutError()
        if failure is not None:
            why = f"{self._name} can't be reached: {type(failure).__name__}"
            raise ToolError("tool_unreachable", why, action="retry") from failure
        return self._ready.result()

    async def close(self) -> None:
        """Close the client, or stop opening it."""
        self._leave.set()
        if not self._ready.done():
            self._task.cancel()
        await asyncio.wait((self._task,))

    async def _keep(self) -> None:
        try:
            async with Client(self._server) as client:
                self._ready.set_result(client)
                await self._leave.wait()
        except Exception as error:  # noqa: BLE001 - whatever a server fails with, callers hear it
            # Once it was ready, a call that hits the broken connection tells more than its end.
            if not self._ready.done():
                self._ready.set_exception(error)


def _text(result: CallToolResult) -> str:
    pieces = [
        block.text if isinstance(block, TextContent) else f"[{block.type}]"
        for block in result.content
    ]
    text = "\n".join(pieces)
    if result.is_error:
        raise ToolError("tool_failed", text or "the server reported an error")
    return text
