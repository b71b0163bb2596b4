"""What the book of tasks learns to pack with, and how it packs again what it holds."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from engine.books import packed
from engine.books.packed import Packer
from engine.books.sqlite import Database
from engine.books.taskrows import FRAMES, exchange, give_back_pages
from engine.errors import StoreCorruptError

AT_ONCE = 500
"""Tasks packed again in one transaction."""
NEWEST = "SELECT frame FROM frames ORDER BY number DESC LIMIT 2000"

Masking = Callable[[bytes], bytes]
"""A payload as it may outlive its task."""


def learn(database: Database, packer: Packer, at: float, masking: Masking) -> bool:
    """Learn a dictionary from the newest tasks when it is time; whether one was learnt.

    A dictionary is made of pieces of what it was learnt from, and stays for longer.
    """
    newest = _newest(database, packer, masking)
    learnt = packed.is_due(database) and packed.learn(database, newest, at)
    packer.refresh()
    if learnt and packed.is_young(database):
        _repack(database, packer)
    return learnt


def _newest(database: Database, packer: Packer, masking: Masking) -> Iterator[bytes]:
    with database.reading() as connection:
        rows = connection.execute(NEWEST).fetchall()
    for (frame,) in rows:
        with suppress(StoreCorruptError):
            yield masking(packer.unpack(frame))


def _repack(database: Database, packer: Packer) -> None:
    """Pack all that is held with the newest dictionary, a few tasks at a time."""
    last = -1
    while True:
        with database.reading() as connection:
            rows = connection.execute(FRAMES, (last, AT_ONCE)).fetchall()
        if not rows:
            break
        last = rows[-1][0]
        again = [
            (seq, asked and packer.repacked(asked), answered and packer.repacked(answered))
            for seq, asked, answered in rows
        ]
        with database.writing() as connection:
            for seq, asked, answered in again:
                exchange(connection, seq, asked, answered)
    with database.writing() as connection:
        give_back_pages(connection)
