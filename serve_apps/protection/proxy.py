"""What the front proxy is told of clients, so that slow ones are cut off before they get here."""

import resource

from engine.config.protection import Clients

# The proxy refuses to start rather than run with fewer open files than it may need: two for a
# connection, half a one for the pipes that it splices with, and some of its own.
FILES_EACH = 2.5
OWN_FILES = 300


def proxy_variables(clients: Clients) -> dict[str, str]:
    """Variables that Serve's HAProxy reads its limits from, for the processes that start it.

    As Serve has it, a client may be silent for an hour, and may spell out its headers for ever.
    """
    # Serve has no variable for two of these. This one is written into the section `defaults` as it
    # is, at the end of its line, so further lines of that section may follow it.
    further = (
        f"    timeout http-request {clients.headers_s}s",
        f"    timeout tunnel {clients.socket_s}s",
    )
    return {
        "RAY_SERVE_HAPROXY_MAXCONN": str(_connections(clients.sockets)),
        "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": str(clients.stall_s),
        "RAY_SERVE_HAPROXY_RETRY_ON": "\n".join(("conn-failure", *further)),
    }


def _connections(wanted: int) -> int:
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return wanted
    return max(min(wanted, int((files - OWN_FILES) / FILES_EACH)), 1)
