"""Cuts a stream of server-sent events into what they say."""

END = b"[DONE]"
"""What the protocol's last event says."""


class Events:
    """The events of one stream, however its bytes are cut on the way."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._said: list[bytes | bytearray] = []

    def take(self, received: bytes) -> list[bytes]:
        """The data of the events that end in these bytes; comments are skipped."""
        self._rest += received
        if b"\n" not in received:
            return []
        *lines, self._rest = self._rest.split(b"\n")
        ended: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._said.append(line[5:].strip())
            elif self._said and not line.strip():
                if said := b"\n".join(self._said):
                    ended.append(said)
                self._said = []
        return ended
