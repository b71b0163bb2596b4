"""Cuts a stream of server-sent events into what they say."""

END = b"[DONE]"
"""What the protocol's last event says."""


class Events:
    """The events of one stream, however its bytes are cut on the way."""

    def __init__(self) -> None:
        self._rest = b""
        self._said: list[bytes] = []

    def take(self, received: bytes) -> list[bytes]:
        """The data of the events that end in these bytes; comments and other fields are skipped."""
        *lines, self._rest = (self._rest + received).split(b"\n")
        ended: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._said.append(line[5:].strip())
            elif self._said and line in {b"", b"\r"}:
                ended.append(b"\n".join(self._said))
                self._said = []
        return ended
