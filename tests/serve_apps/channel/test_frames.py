"""Laws of framing: whatever travels arrives as it was, however the bytes are cut."""

import asyncio
import struct

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_apps.channel.frames import MOST_BYTES, Writer, proof, reader

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters())
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
frames = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2**40), values), max_size=5)


class Wire(asyncio.Transport):
    """Keeps what is written on it."""

    def __init__(self):
        super().__init__()
        self.written = b""

    def get_extra_info(self, name, default=None):
        return self

    def setsockopt(self, *said):
        pass

    def set_write_buffer_limits(self, high=None, low=None):
        pass

    def get_write_buffer_size(self):
        return 0

    def is_closing(self):
        return False

    def write(self, data):
        self.written += data


def written(sent):
    async def write():
        wire = Wire()
        writer = Writer(wire)
        for frame in sent:
            writer.send(frame)
        await asyncio.sleep(0)
        return wire.written

    return asyncio.run(write())


@given(frames, st.integers(1, 50))
def test_frames_arrive_as_they_left_however_they_are_cut(sent, size):
    whole = written(sent)

    taking, found = reader(), []
    for start in range(0, len(whole), size):
        taking.feed(whole[start : start + size])
        found += list(taking)

    assert [tuple(frame) for frame in found] == sent


@given(frames.filter(bool), st.data())
def test_a_torn_end_gives_the_frames_before_it_and_nothing_else(sent, data):
    whole = written(sent)
    last = len(written(sent[-1:]))

    taking = reader()
    taking.feed(whole[: len(whole) - data.draw(st.integers(1, last))])

    assert [tuple(frame) for frame in taking] == sent[:-1]


async def test_a_frame_over_the_cap_is_refused_where_it_is_sent():
    writer = Writer(Wire())

    with pytest.raises(ValueError, match="of at most"):
        writer.send([0, 1, "x" * MOST_BYTES])


def test_a_claim_of_many_values_is_refused_before_it_takes_memory():
    taking = reader(256)
    taking.feed(b"\xdd" + struct.pack(">I", 2**31))

    with pytest.raises(ValueError, match="exceeds"):
        list(taking)


def test_a_frame_within_a_chunk_of_the_cap_can_be_read():
    packed = msgpack.packb([0, 1, "x" * (MOST_BYTES - 100)])

    taking = reader()
    for start in range(0, len(packed), 256 << 10):
        taking.feed(packed[start : start + (256 << 10)])
    taking.feed(packed[: 200 << 10])

    assert len(next(taking)[2]) == MOST_BYTES - 100


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_a_proof_holds_for_one_end_one_address_and_one_nonce(nonce, other):
    given_out = proof(b"secret", "gateway", "127.0.0.1:80/aa", nonce)

    assert given_out != proof(b"secret", "slot", "127.0.0.1:80/aa", nonce)
    assert given_out != proof(b"secret", "gateway", "127.0.0.1:80/ab", nonce)
    assert given_out != proof(b"public", "gateway", "127.0.0.1:80/aa", nonce)
    assert (nonce == other) == (given_out == proof(b"secret", "gateway", "127.0.0.1:80/aa", other))
