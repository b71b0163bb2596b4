"""A small shop for the example workflows: tools with effects that are really kept, in a database.

`python -m engine.testing.shop shop.db` makes one with a few orders in it. The tools write to the
database that the environment variable TRIMTAB_SHOP names, or to `shop.db`.
"""

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from engine.workflow.failure import StepError, ToolError
from engine.workflow.tooling.tool import tool

ORDERS = (
    ("A1", "NO", 120.0, "on its way"),
    ("A2", "NO", 40.0, "delivered"),
    ("A3", "FR", 900.0, "packed"),
)
HIGH_RISK = ("XX", "YY")
_TABLES = """
create table if not exists orders (id text primary key, country text, amount real, state text);
create table if not exists effects (key text primary key, what text, about text, answer text);
"""


def make(path: Path) -> None:
    """A database with a few orders; an existing one keeps what it holds."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(_TABLES)
        connection.executemany("insert or ignore into orders values (?, ?, ?, ?)", ORDERS)


def effects(path: Path) -> list[tuple[str, str]]:
    """What was done and to what, in order; each once, however often it was asked for."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(_TABLES)
        return connection.execute("select what, about from effects order by rowid").fetchall()


def valid(order: str, amount: float) -> dict[str, Any]:
    """An order that can be processed.

    Raises:
        StepError: It has no number, or costs nothing.
    """
    if not order.strip():
        raise StepError("invalid_order", "the order has no number")
    if amount <= 0.0:
        raise StepError("invalid_order", f"order {order} costs {amount:g}; it must be above 0")
    return {"order": order.strip(), "amount": amount}


def risk(amount: float, country: str) -> int:
    """A risk from 0 to 100."""
    return min(100, int(amount // 100) * 5 + (60 if country in HIGH_RISK else 0))


@tool(effect="read", scopes=("shop.read",))
def order_status(order: str) -> str:
    """Says where an order is.

    Args:
        order: The order's number.
    """
    with _open() as connection:
        row = connection.execute("select state from orders where id = ?", (order,)).fetchone()
    return f"order {order} is {row[0]}" if row else f"there is no order {order}"


@tool(effect="write", scopes=("shop.write",))
def reserve(order: str, idempotency_key: str) -> str:
    """Set the goods of an order aside."""
    return _once(idempotency_key, "reserve", order, f"reserved {order}")


@tool(effect="write", scopes=("shop.write",))
def release(order: str, idempotency_key: str) -> str:
    """Put the goods of an order back."""
    return _once(idempotency_key, "release", order, f"released {order}")


@tool(effect="write", scopes=("shop.write",))
def pay(order: str, amount: float, cleared: str, idempotency_key: str) -> str:
    """Take the money for an order; `cleared` says why that is allowed."""
    return _once(idempotency_key, "pay", order, f"receipt-{order}-{amount:g}")


@tool(effect="write", scopes=("shop.write",))
def refund(receipt: str, idempotency_key: str) -> str:
    """Give the money of a receipt back."""
    return _once(idempotency_key, "refund", receipt, f"refunded {receipt}")


@tool(effect="write", scopes=("shop.write",))
def notify(order: str, text: str, idempotency_key: str) -> str:
    """Write to the customer; an order whose number ends in `0` has no address."""
    if order.endswith("0"):
        raise ToolError("no_address", f"order {order} has no address to write to")
    return _once(idempotency_key, "notify", order, f"sent: {text}")


def _once(key: str, what: str, about: str, answer: str) -> str:
    """Do it, or say again what was answered when it was done under this key."""
    with _open() as connection:
        connection.execute(
            "insert or ignore into effects values (?, ?, ?, ?)", (key, what, about, answer)
        )
        row: tuple[str] = connection.execute(
            "select answer from effects where key = ?", (key,)
        ).fetchone()
    return row[0]


@contextmanager
def _open() -> Iterator[sqlite3.Connection]:
    path = Path(os.environ.get("TRIMTAB_SHOP", "shop.db"))
    make(path)
    with closing(sqlite3.connect(path, timeout=10.0)) as connection, connection:
        yield connection


if __name__ == "__main__":
    make(Path(sys.argv[1] if len(sys.argv) > 1 else "shop.db"))
