"""An OpenAI endpoint on a real socket that answers as scripted, well or badly."""

import asyncio
import contextlib
import json
from dataclasses import dataclass, field

from tests.engine.workflow.endpoint import completion


@dataclass
class Server:
    """Gives the scripted answers in turn, the last one for ever, and keeps the requests."""

    answers: list
    requests: list = field(default_factory=list)
    heads: list = field(default_factory=list)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client closes its connection before it was answered."""
    hanging: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    base_url: str = ""
    listening: asyncio.Server | None = None

    async def serve(self, reader, writer):
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = next(line for line in head.splitlines() if "content-length" in line)
                body = await reader.readexactly(int(length.split(":")[1]))
                self.heads.append(head)
                self.requests.append(json.loads(body))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if not await self.write(answer, reader, writer):
                    break
        writer.close()

    async def write(self, answer, reader, writer):
        """Write an answer's bytes; a figure in it is a pause in seconds."""
        for step in answer:
            if step == HANG:
                self.hanging.set()
                # A client that leaves bytes unread resets the line instead of ending it.
                with contextlib.suppress(ConnectionError):
                    await reader.read(1)
                self.hung_up.set()
                return False
            if step == CUT:
                writer.transport.abort()
                return False
            if isinstance(step, float):
                await asyncio.sleep(step)
                continue
            writer.write(step)
            await writer.drain()
        return True


HANG = "hang"
CUT = "cut"


@contextlib.asynccontextmanager
async def serving(*answers, tls=None):
    server = Server(list(answers))
    server.listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    scheme = "https" if tls else "http"
    server.base_url = f"{scheme}://127.0.0.1:{server.listening.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        server.listening.close()


def whole(content="hi", status=200, headers=(), body=None, **changes):
    payload = json.dumps(completion(content, **changes) if body is None else body).encode()
    lines = [
        f"HTTP/1.1 {status} OK",
        "content-type: application/json",
        f"content-length: {len(payload)}",
        *(f"{name}: {value}" for name, value in dict(headers).items()),
    ]
    return ["\r\n".join(lines).encode() + b"\r\n\r\n" + payload]


def refusal(status, code=None, message="no", headers=()):
    body = {"error": {"message": message, "type": "an_error", "code": code}}
    return whole(status=status, headers=headers, body=body)


STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def event(payload):
    if not isinstance(payload, bytes):
        payload = (payload if isinstance(payload, str) else json.dumps(payload)).encode()
    line = b"data: " + payload + b"\n\n"
    return f"{len(line):x}\r\n".encode() + line + b"\r\n"


def piece(content=None, finish=None, calls=None, usage=None):
    delta = {"content": content} | ({"tool_calls": calls} if calls else {})
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return event(
        {
            "id": "c",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": "a-model",
            "choices": [] if usage else choices,
            "usage": usage,
        }
    )


ENDED = [piece(finish="stop"), piece(usage=USAGE), event("[DONE]"), b"0\r\n\r\n"]


def streamed(*texts, then=ENDED):
    return [STREAM, *(piece(text) for text in texts), *then]
