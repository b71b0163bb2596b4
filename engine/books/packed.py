"""Conversations made small: zstd with dictionaries that a book learns from what it holds.

A conversation of a few kilobytes is too short to repeat itself, but it repeats others: the same
prompts, passages and habits. A dictionary of them saves as much as packing many conversations into
one block would, and each of them can still be read, finished and deleted alone.
"""

import sqlite3
import threading
from collections.abc import Iterable
from contextlib import suppress

import zstandard

from engine.books.sqlite import Database
from engine.errors import StoreCorruptError

LEVEL = 12
"""Beyond it a conversation costs ten times the time for one percent of its bytes."""
DICTIONARY_BYTES = 512 * 1024
"""Half as much stores 14 % more of conversations about half a megabyte of texts; twice as much
stores 7 % less, for nearly three times the time."""
SAMPLES_PER_BYTE = 8
"""How much text a byte of dictionary is learnt from; from less, it holds what is never repeated."""
FIRST_BYTES = 256 * 1024
"""How much a book has taken in before it learns its first dictionary."""
GROWTH = 4
"""Each dictionary is learnt when the book has taken in so many times what it had at the last…"""
MOST_BETWEEN_BYTES = 256 * 1024 * 1024
"""…but at the latest after so much more, because what people ask about changes."""
REPACKED_BYTES = 64 * 1024 * 1024
"""As long as a book took in no more, what it holds is packed again with each new dictionary: the
first ones are learnt from little."""
STALE_S = 3_600.0
"""How long after it was superseded a process may still write with a dictionary."""
MOST_PAYLOAD_BYTES = 64 << 20
_PLAIN = zstandard.ZstdDecompressor()

SCHEMA = (
    "CREATE TABLE dictionaries("
    "version INTEGER PRIMARY KEY, learnt_at REAL NOT NULL, superseded_at REAL, "
    "taken_in INTEGER NOT NULL, body BLOB NOT NULL) STRICT",
    "CREATE TABLE intake(one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL) STRICT",
    "INSERT INTO intake(one, bytes) VALUES (1, 0)",
)


class Packer:
    """Packs and unpacks payloads; safe for the threads of one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = threading.Lock()
        self._readers = {0: _PLAIN}
        self._version = 0
        self._writer = zstandard.ZstdCompressor(level=LEVEL)
        self.refresh()

    def pack(self, payload: bytes) -> bytes:
        """A payload as one frame, which names its dictionary itself."""
        with self._turn:
            return self._writer.compress(payload)

    def unpack(self, frame: bytes) -> bytes:
        """The payload of a frame.

        Raises:
            StoreCorruptError: The frame is damaged, or its dictionary is lost.
        """
        try:
            version = zstandard.get_frame_parameters(frame).dict_id
            with self._turn:
                reader = self._readers.get(version) or self._reader(version)
                return reader.decompress(frame, max_output_size=MOST_PAYLOAD_BYTES)
        except zstandard.ZstdError as error:
            raise StoreCorruptError(
                f"{self._database.path}: a payload can't be unpacked ({error}); restore the file"
            ) from error

    def refresh(self) -> None:
        """Write with the newest dictionary from now on, whoever learnt it."""
        with self._database.reading() as connection:
            newest = connection.execute(
                "SELECT version, body FROM dictionaries WHERE version > ? "
                "ORDER BY version DESC LIMIT 1",
                (self._version,),
            ).fetchone()
        if newest is None:
            return
        version, body = newest
        dictionary = _dictionary(body)
        dictionary.precompute_compress(level=LEVEL)
        with self._turn:
            self._version = version
            self._writer = zstandard.ZstdCompressor(level=LEVEL, dict_data=dictionary)
            self._readers[version] = zstandard.ZstdDecompressor(dict_data=dictionary)

    def repacked(self, frame: bytes) -> bytes:
        """A frame's payload in a frame of the newest dictionary; what can't be read stays."""
        with suppress(StoreCorruptError, zstandard.ZstdError):
            if zstandard.get_frame_parameters(frame).dict_id != self._version:
                return self.pack(self.unpack(frame))
        return frame

    def _reader(self, version: int) -> zstandard.ZstdDecompressor:
        with self._database.reading() as connection:
            known = connection.execute(
                "SELECT body FROM dictionaries WHERE version = ?", (version,)
            ).fetchone()
        if known is None:
            raise StoreCorruptError(
                f"{self._database.path}: dictionary {version} is lost; restore the file"
            )
        reader = zstandard.ZstdDecompressor(dict_data=_dictionary(known[0]))
        self._readers[version] = reader
        return reader


def took_in(connection: sqlite3.Connection, count: int) -> None:
    """Count bytes before packing: by them a book knows when to learn again."""
    connection.execute("UPDATE intake SET bytes = bytes + ?", (count,))


def is_due(database: Database) -> bool:
    """Whether enough has come in since the last dictionary for another one."""
    with database.reading() as connection:
        taken, last = _progress(connection)
    return taken >= _next(last)


def is_young(database: Database) -> bool:
    """Whether what a book holds is worth packing again with a new dictionary."""
    with database.reading() as connection:
        taken, _ = _progress(connection)
    return taken <= REPACKED_BYTES


def learn(database: Database, payloads: Iterable[bytes], at: float) -> bool:
    """Learn a dictionary from these payloads, newest first; False when they have too little to say.

    Several processes may do so at once: the first one's stands.
    """
    with database.reading() as connection:
        taken, last = _progress(connection)
        (version,) = connection.execute(
            "SELECT coalesce(max(version), 0) + 1 FROM dictionaries"
        ).fetchone()
    samples = _sample(payloads)
    size = min(sum(map(len, samples)) // SAMPLES_PER_BYTE, DICTIONARY_BYTES)
    if taken < _next(last) or not samples:
        return False
    try:
        body = zstandard.train_dictionary(size, samples, dict_id=version).as_bytes()
    except zstandard.ZstdError:
        # too few or too uniform to learn from: plain frames stay good enough until there is more
        return False
    with database.writing() as connection:
        written = connection.execute(
            "INSERT OR IGNORE INTO dictionaries(version, learnt_at, taken_in, body) "
            "VALUES (?, ?, ?, ?)",
            (version, at, taken, zstandard.ZstdCompressor(level=LEVEL).compress(body)),
        )
        connection.execute(
            "UPDATE dictionaries SET superseded_at = ? WHERE version < ? AND superseded_at IS NULL",
            (at, version),
        )
    return written.rowcount == 1


def forget(connection: sqlite3.Connection, oldest_at: float) -> None:
    """Drop the dictionaries that nothing written at or after ``oldest_at`` can need."""
    connection.execute("DELETE FROM dictionaries WHERE superseded_at < ?", (oldest_at - STALE_S,))


def _progress(connection: sqlite3.Connection) -> tuple[int, int]:
    (taken,) = connection.execute("SELECT bytes FROM intake").fetchone()
    (last,) = connection.execute("SELECT coalesce(max(taken_in), 0) FROM dictionaries").fetchone()
    return int(taken), int(last)


def _next(last: int) -> int:
    return min(GROWTH * last, last + MOST_BETWEEN_BYTES) if last else FIRST_BYTES


def _dictionary(kept: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(_PLAIN.decompress(kept))


def _sample(payloads: Iterable[bytes]) -> list[bytes | bytearray | memoryview]:
    samples: list[bytes | bytearray | memoryview] = []
    room = SAMPLES_PER_BYTE * DICTIONARY_BYTES
    for payload in payloads:
        if room <= 0:
            break
        samples.append(payload)
        room -= len(payload)
    return samples
