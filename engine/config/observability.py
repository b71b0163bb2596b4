"""What an operator may write about being seen from outside: logs, masking, traces for others."""

from typing import Literal, Self

from pydantic import Field, model_validator

from engine.config.frozen import Frozen
from engine.config.problem import Problem, impossible

Sensitive = Literal["key", "email", "card", "id", "phone"]
SENSITIVE: tuple[Sensitive, ...] = ("key", "email", "card", "id", "phone")


class Masking(Frozen):
    """What is blacked out before anything is logged or, where asked for, stored."""

    kinds: tuple[Sensitive, ...] = SENSITIVE
    """`key` are secrets: bearer tokens, API keys, passwords in addresses; `id` are numbers of
    persons and accounts: US social security, Chinese resident identity, IBAN."""
    fields: tuple[str, ...] = (
        *("password", "passwd", "secret", "token", "api_key", "apikey", "authorization"),
        *("cookie", "set_cookie", "private_key", "card_number", "cvv", "ssn"),
    )
    """Names whose values are blacked out whole, also behind a prefix, as in `db_password`."""
    stored: bool = False
    """Also mask the texts in stored traces, and drop what a task asked once it has ended; without
    it only logs and exports are masked. What has to be read again as it was said stays so."""


class Logs(Frozen):
    """What the serving processes write of their own events, one JSON object a line."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    megabytes: int = Field(10, ge=1, le=1_000)
    """One file's size, at which the next begins."""
    files: int = Field(3, ge=1, le=100)
    """Full files kept beside the one that is written."""


class Otlp(Frozen):
    """Where traces go as OpenTelemetry spans, over HTTP; nowhere unless an endpoint is written."""

    endpoint: str | None = Field(None, examples=["http://collector:4318/v1/traces"])
    """The whole address, with its path. What a collector wants in headers, such as a key, is read
    from the environment variable OTEL_EXPORTER_OTLP_HEADERS, so that no file holds a secret."""
    service: str = Field("trimtab", min_length=1)
    """The `service.name` of every span."""
    queue: int = Field(2_048, ge=1, le=1_000_000)
    """Requests that wait to be sent; with more, the newest are dropped and counted."""
    batch: int = Field(256, ge=1, le=10_000)
    """Requests sent at once."""
    timeout_s: float = Field(10.0, gt=0.0, le=60.0)

    @model_validator(mode="after")
    def _is_an_address(self) -> Self:
        if self.endpoint is not None and not self.endpoint.startswith(("http://", "https://")):
            why = f"got {self.endpoint!r}; write it whole, as http://collector:4318/v1/traces"
            raise impossible([Problem(("endpoint",), why)])
        return self


class Observability(Frozen):
    """How a deployment is seen from outside."""

    masking: Masking = Masking()
    logs: Logs = Logs()
    otlp: Otlp = Otlp()
