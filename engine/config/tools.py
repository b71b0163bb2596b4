"""What an operator may write about the tools of an agent."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from engine.config.frozen import Frozen
from engine.config.problem import Problem, impossible

Effect = Literal["read", "write", "irreversible"]
"""What a call leaves behind: nothing, something that can be undone, something that can't."""

ENTRY = r"^[\w.]+:\w+$"
NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"


class Tool(Frozen):
    """How one tool is called; what an operator writes replaces what the tool declares."""

    enabled: bool = True
    timeout_s: float = Field(30.0, gt=0.0, le=600.0)
    retries: int | None = Field(None, ge=0, le=5)
    """More tries of a read after a failure that may pass; null means 2. An effect has none."""
    cache_ttl_s: float | None = Field(None, gt=0.0)
    """How long a read's result is remembered; null never remembers."""
    cost_usd: float = Field(0.0, ge=0.0)
    """Charged to the request for each try."""
    needs_approval: bool | None = None
    """A person allows each call; null asks for what can't be undone, and for nothing else."""
    scopes: tuple[str, ...] = ()
    """All of them must be granted before the tool is offered; none means its own name."""
    breaker: bool = True
    """After repeated failures the tool is left alone for a while."""


class Key(Frozen):
    """A secret that one host expects in a header."""

    host: str
    header: str = "Authorization"
    env: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$", examples=["SEARCH_KEY"])
    """The environment variable that holds the header's whole value."""


class Http(Frozen):
    """Where tools may go in the network: nowhere, until hosts are listed."""

    hosts: tuple[str, ...] = ()
    """Names (`docs.python.org`), domains (`*.python.org`), addresses or networks. An address that
    is not public is reached only where it, or its network, is listed itself."""
    ports: tuple[int, ...] = (80, 443)
    keys: tuple[Key, ...] = ()
    max_bytes: int = Field(1 << 20, ge=1, le=1 << 26)
    """Of a body, decompressed; what comes after is not read."""
    max_redirects: int = Field(5, ge=0, le=20)
    timeout_s: float = Field(10.0, gt=0.0, le=600.0)


class Database(Frozen):
    """One SQLite file that may be read."""

    name: str = Field(pattern=NAME)
    path: str
    tables: tuple[str, ...] = Field(min_length=1)
    """Those that may be read; for a view also every table that it reads."""


class Search(Frozen):
    """A web search that answers a GET with JSON."""

    url: str = Field(examples=["https://search.example/v1?q={query}&count={count}"])
    """`{query}` and `{count}` are filled in."""
    results: str = "results"
    """The dotted path of the list of results, such as `web.results`."""
    title: str = "title"
    link: str = "url"
    snippet: str = "description"
    http: Http = Http()
    """The search's own hosts and key; those of the other tools don't count here."""

    @model_validator(mode="after")
    def _askable(self) -> Self:
        if "{query}" not in self.url:
            raise impossible([Problem(("url",), f"got {self.url!r}; write {{query}} into it")])
        return self


class McpServer(Frozen):
    """A server whose tools are offered under its name."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,31}$")
    command: tuple[str, ...] = ()
    """Starts it as a child process that speaks over its standard input and output."""
    url: str | None = None
    """Where it listens, for streamable HTTP."""
    allow: tuple[str, ...] = ()
    """The server's tools that may be offered; all others are left out."""
    timeout_s: float = Field(30.0, gt=0.0, le=600.0)

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if bool(self.command) == bool(self.url):
            why = "write either `command` or `url`"
            raise impossible([Problem(("command",), why)])
        return self


class Likely(Frozen):
    """A read that is started before the language model asks for it."""

    tool: str
    arguments: dict[str, JsonValue] = Field({})
    """`{question}` in a text is filled in."""


class Tools(Frozen):
    """The tools of one variant, and what they are allowed."""

    max_parallel: int = Field(8, ge=1, le=64)
    """Calls of one turn that run at once."""
    scopes: tuple[str, ...] = ()
    """What is granted; a tool with a scope that is not listed here is not offered."""
    functions: dict[str, Annotated[str, Field(pattern=ENTRY, examples=["my_package.shop:pay"])]] = (
        Field({})
    )
    """Tools of your own by name, as `module:name` of what `tool` made of a Python function."""
    settings: dict[str, Tool] = Field({})
    """By the tool's name."""
    prefetch: dict[str, tuple[Likely, ...]] = Field({})
    """By the question's intent."""
    http: Http = Http()
    databases: tuple[Database, ...] = ()
    search: Search | None = None
    mcp: tuple[McpServer, ...] = ()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if problems := [*self._twice("databases"), *self._twice("mcp")]:
            raise impossible(problems)
        return self

    def _twice(self, section: Literal["databases", "mcp"]) -> Iterator[Problem]:
        names = [each.name for each in getattr(self, section)]
        for number, name in enumerate(names):
            if name in names[:number]:
                yield Problem((section, number, "name"), f"got {name!r} twice; rename one")
