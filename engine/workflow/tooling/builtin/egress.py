"""Where tools may go in the network: to listed hosts, at addresses that anyone may reach."""

import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from engine.config.tools import Http
from engine.workflow.failure import ToolError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")


class Egress:
    """The allow-list of one set of tools."""

    def __init__(self, settings: Http) -> None:
        self._ports = settings.ports
        self._names: set[str] = set()
        self._domains: list[str] = []
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in settings.hosts:
            self._list(entry.strip().lower())

    def admit(self, url: URL) -> None:
        """Let a URL pass whose host is listed.

        Raises:
            ToolError: It may not be asked, whatever its address is.
        """
        if url.scheme not in ("http", "https") or not url.host:
            raise ToolError("tool_forbidden", f"{url} is no http or https address")
        if url.user is not None or url.password is not None:
            raise ToolError("tool_forbidden", "an address with a user or a password is refused")
        if url.port not in self._ports:
            raise ToolError("tool_forbidden", f"port {url.port} is not one of {self._ports}")
        host = url.host.lower().rstrip(".")
        address = _address(host)
        listed = self._lists_name(host) if address is None else self._lists_address(address)
        if not listed:
            raise ToolError("tool_forbidden", f"{host} is not on the list of allowed hosts")

    def reaches(self, written: str) -> bool:
        """Whether a connection may be made to this address of a listed name."""
        address = _address(written)
        return address is not None and (is_public(address) or self._lists_address(address))

    def _list(self, entry: str) -> None:
        try:
            self._networks.append(ipaddress.ip_network(entry))
        except ValueError:
            if entry.startswith("*."):
                self._domains.append(entry[1:])
            else:
                self._names.add(entry)

    def _lists_name(self, host: str) -> bool:
        return host in self._names or any(host.endswith(domain) for domain in self._domains)

    def _lists_address(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


class Resolver(AbstractResolver):
    """Resolves a name once, for the connection that is then made to that very address."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._names = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name, if all of them may be reached.

        Raises:
            ToolError: One of them may not: a name that mixes both is not to be trusted.
        """
        found = await self._names.resolve(host, port, family)
        for each in found:
            if not self._egress.reaches(each["host"]):
                raise ToolError("tool_forbidden", f"{host} leads to an address that is not public")
        return found

    async def close(self) -> None:
        """Nothing is held open."""
        await self._names.close()


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet's, not inside another one in disguise."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address not in GLOBAL_V6 or address.sixtofour is not None:
            return False
    return address.is_global and not address.is_multicast


def is_inside(host: str) -> bool:
    """Whether a host is written as an address that is not the open internet's."""
    address = _address(host)
    return address is not None and not is_public(address)


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        return None
