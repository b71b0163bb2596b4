"""What an operator may write about keeping the gateway up: rates, ejection, crowding, clients."""

from typing import Literal

from pydantic import Field

from engine.config.frozen import Frozen

STORE_URL = r"^(memory:|rediss?://.+)$"


class Rate(Frozen):
    """The most of something that one key may have in a time."""

    measure: Literal["requests", "tokens", "cost_usd"]
    at_most: float = Field(gt=0.0)
    per: Literal["minute", "hour", "day"]


class Rates(Frozen):
    """Limits by API key on a workflow; none is set unless somebody writes it."""

    each_key: tuple[Rate, ...] = ()
    """What every key may have, each for itself."""
    anonymous: tuple[Rate, ...] = ()
    """What all clients without a key may have together."""
    store: str = Field("memory:", pattern=STORE_URL, examples=["redis://127.0.0.1:6379/0"])
    """Where the counts are: in each gateway's memory, which divides every limit by the number of
    gateways, or in a Redis, which all of them share exactly."""
    most_keys: int = Field(10_000, ge=1)
    """Keys that a gateway tells apart within a day; any further ones count as one, so that clients
    who make up keys fill no memory."""


class Ejection(Frozen):
    """When a failing variant is passed over; names and defaults are Envoy's."""

    enabled: bool = True
    consecutive_5xx: int = Field(5, ge=1)
    """Failed answers in a row that eject a variant at once."""
    interval_s: float = Field(10.0, gt=0.0)
    """How often success rates are compared."""
    base_ejection_time_s: float = Field(30.0, gt=0.0)
    """Of the first ejection; the n-th one lasts n times as long."""
    max_ejection_time_s: float = Field(300.0, gt=0.0)
    max_ejection_percent: int = Field(10, ge=0, le=100)
    """Of all variants that are seated; one may always be ejected."""
    success_rate_minimum_hosts: int = Field(5, ge=2)
    """Variants with enough requests below which success rates aren't compared."""
    success_rate_request_volume: int = Field(100, ge=1)
    """Requests within an interval below which a variant's success rate says nothing."""
    success_rate_stdev_factor: float = Field(1.9, gt=0.0)
    """A variant is ejected whose success rate is this many standard deviations under the mean."""
    panic_percent: int = Field(50, ge=0, le=100)
    """With more than this share of the variants out, the baseline serves all."""


class Crowding(Frozen):
    """How many requests of a workflow one gateway takes on at a time."""

    most_in_flight: int = Field(1_000, ge=1)
    """Where the limit begins, and the highest it ever is."""
    least_in_flight: int = Field(16, ge=1)
    """The lowest that late answers bring the limit down to."""
    queue: int = Field(1_000, ge=0)
    """Requests that may wait for their turn; the next one is refused."""
    queue_s: float = Field(1.0, gt=0.0)
    """The longest that a request waits for its turn before it is refused."""
    late_share: float = Field(0.8, gt=0.0, lt=1.0)
    """Work that takes more than this share of a request's time is late, and lowers the limit; the
    rest is the most that the request waits for its turn, where that is less than `queue_s`."""
    retry_after_s: int = Field(1, ge=1)
    """What a refused client is told to wait."""


class Clients(Frozen):
    """What a client may send, how slowly, and how slowly it may read."""

    sockets: int = Field(10_000, ge=1)
    """Connections that the front proxy holds, idle ones too; fewer where the system allows fewer
    open files."""
    headers: int = Field(100, ge=1)
    header_bytes: int = Field(16 << 10, ge=1)
    """All names and values together."""
    headers_s: int = Field(10, ge=1)
    """The longest that headers may take to arrive; an idle connection is closed after it."""
    body_bytes: int = Field(1 << 20, ge=1)
    body_s: float = Field(30.0, gt=0.0)
    """The longest that a body may take to arrive."""
    depth: int = Field(64, ge=1)
    """Lists and objects within one another in a JSON body."""
    stall_s: int = Field(30, ge=1)
    """A client is given up that sends nothing of its body, or takes nothing of its answer, for this
    long."""
    socket_s: int = Field(3_600, ge=1)
    """The longest that a WebSocket may be silent."""


class Protection(Frozen):
    """What keeps one client, one variant or one rush from taking the gateway down."""

    rates: Rates = Rates()
    ejection: Ejection = Ejection()
    crowding: Crowding = Crowding()
    clients: Clients = Clients()
