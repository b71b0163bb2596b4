"""An OpenAI endpoint in the same process, for tests."""

import json

import httpx2
from openai import AsyncOpenAI


def completion(content=None, calls=(), **changes):
    message = {"role": "assistant", "content": content}
    if calls:
        message["tool_calls"] = [
            {
                "id": f"call_{n}",
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
            for n, (name, arguments) in enumerate(calls)
        ]
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": "a-model",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    } | changes


class Endpoint:
    """Gives the scripted answers in turn, the last one for ever, and keeps the requests."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self.requests = []

    async def __call__(self, request):
        self.requests.append(_read(request))
        answer = self._answers[0]
        if len(self._answers) > 1:
            self._answers.pop(0)
        if callable(answer):
            return await answer(request)
        return answer if isinstance(answer, httpx2.Response) else httpx2.Response(200, json=answer)

    def client(self):
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(self))
        return AsyncOpenAI(
            http_client=http, base_url="http://endpoint/v1", api_key="none", max_retries=0
        )


def _read(request):
    """The request's JSON; a form is kept as it is."""
    try:
        return json.loads(request.content)
    except ValueError:
        return request.content
