"""What an operator may write about encrypting what comes in."""

from typing import Literal

from pydantic import Field

from engine.config.frozen import Frozen


class Tls(Frozen):
    """The listener that stands before the plain one, which stays on loopback."""

    cert: str
    """The file of the certificate and those that vouch for it, as PEM."""
    key: str
    """The file of its private key, as PEM; without a password."""
    host: str = "127.0.0.1"
    """The address to listen on; `0.0.0.0` or `::` for every one of this machine."""
    port: int = Field(8443, ge=1, le=65_535)
    minimum: Literal["1.2", "1.3"] = "1.2"
    """The oldest version of TLS that is spoken."""
    client_ca: str | None = None
    """Who vouches for clients, as PEM; with it only clients with such a certificate are heard."""
    head_timeout_s: float = Field(10.0, gt=0.0, le=300.0)
    """For the whole head of a request, and for the first 16 kB of its body with it."""
    idle_timeout_s: float = Field(30.0, gt=0.0, le=3_600.0)
    """How long a client may send or read nothing while it is its turn."""
    answer_timeout_s: float = Field(900.0, gt=0.0)
    """How long an answer may be silent, before its first byte or between two pieces."""
    connections: int = Field(10_000, ge=1, le=1_000_000)
    """At once; more wait to be accepted."""
