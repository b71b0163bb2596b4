"""A small MCP server, started by the tests as a child process."""

import os
import sys
from pathlib import Path

from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

server = MCPServer("shop")
CRASHES = Path(sys.argv[1])
"""Each line in this file lets one call end the whole process."""


def crash() -> None:
    left = CRASHES.read_text().splitlines() if CRASHES.exists() else []
    if left:
        CRASHES.write_text("\n".join(left[1:]))
        os._exit(1)


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def price(item: str) -> str:
    """Tells what an item costs."""
    crash()
    if item == "gold":
        raise ValueError("not sold")
    return f"{item} costs 3 in process {os.getpid()}"


@server.tool(annotations=ToolAnnotations(destructive_hint=False))
def reserve(item: str) -> str:
    """Puts an item aside."""
    crash()
    return f"{item} is put aside"


@server.tool()
def burn(item: str) -> str:
    """Destroys an item."""
    return f"{item} is ash"


if __name__ == "__main__":
    if sys.argv[2:]:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
    else:
        server.run("stdio")
