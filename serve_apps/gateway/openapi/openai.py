"""The shapes that OpenAI's clients send and read."""

from serve_apps.gateway.messages import PARTS, ROLES
from serve_apps.gateway.offers import CHOICES, MOST_TOOLS, OTHERS
from serve_apps.gateway.openapi.parts import ref
from serve_apps.gateway.openapi.schema import (
    NUMBER,
    TEXT,
    WHOLE,
    Json,
    always,
    event,
    list_of,
    maybe,
    said,
    sometimes,
    written,
)
from serve_apps.gateway.reading import CONVERSATION, LONGEST_ID
from serve_apps.models.openai_embeddings import MOST_TEXTS

CONVERSATION_ID: Json = {
    "type": ["string", "null"],
    "maxLength": LONGEST_ID,
    "pattern": f"^{CONVERSATION.pattern}$",
    "description": "The conversation that this goes on with: an id that was given out here, or "
    "your own. The header `x-trimtab-conversation` says the same, and goes first.",
}


FUNCTION = always(name=TEXT)
CALL = always(id=TEXT, function=always(name=TEXT, arguments=TEXT))
CONTENT: Json = {"oneOf": [TEXT, list_of(ref("Part"))]}
USAGE = always(prompt_tokens=WHOLE, completion_tokens=WHOLE, total_tokens=WHOLE)

MESSAGES: dict[str, Json] = {
    "Part": {
        "oneOf": [
            always(**{"type": said(kind), kind: TEXT if shape is str else {"type": "object"}})
            for kind, shape in PARTS.items()
        ]
    },
    "Message": {
        "oneOf": [
            sometimes(
                ["role", "content"],
                role=said(*(one for one in ROLES if one not in ("assistant", "tool"))),
                content=CONTENT,
                tool_calls={"type": "null"},
            ),
            sometimes(
                ["role", "content"],
                role=said("assistant"),
                content=CONTENT,
                tool_calls=maybe(list_of(ref("Call"))),
            ),
            sometimes(
                ["role", "tool_calls"],
                role=said("assistant"),
                content={"type": "null"},
                tool_calls=list_of(ref("Call"), minItems=1),
            ),
            sometimes(
                ["role", "content", "tool_call_id"],
                role=said("tool"),
                content=CONTENT,
                tool_call_id=TEXT,
                tool_calls={"type": "null"},
            ),
        ]
    },
    "Messages": list_of(
        ref("Message"),
        minItems=1,
        description="The conversation. The last message is the user's, or what a tool gave.",
    ),
    "Call": CALL | {"description": "A call of a client's tool; its `type` is `function`."},
    "Tool": always(type=said("function"), function=FUNCTION),
}
CHAT: dict[str, Json] = {
    "ChatCompletionRequest": sometimes(
        ["model", "messages"],
        model=TEXT | {"description": "The workflow."},
        messages=ref("Messages"),
        stream=maybe({"type": "boolean"}),
        stream_options=maybe(sometimes([], include_usage=maybe({"type": "boolean"}))),
        metadata=maybe(sometimes([], conversation_id=CONVERSATION_ID)),
        tools={
            "oneOf": [list_of(ref("Tool"), maxItems=MOST_TOOLS), {"type": "null"}],
            "description": "For workflows whose answering step has `client_tools`; others refuse "
            "them. Calls come back whole: streamed, a call is two pieces.",
        },
        tool_choice={"oneOf": [said(*CHOICES, None), ref("Tool")]},
        **{name: said(*good, None, description=why) for name, (good, why) in OTHERS.items()},
    )
    | {
        "description": "What only tunes an answer, such as `temperature`, `top_p`, `max_tokens`, "
        "`max_completion_tokens`, `stop`, `seed` or `user`, is the workflow's own affair: it is "
        "taken and not looked at."
    },
    "ChatCompletion": always(
        id=TEXT,
        object=said("chat.completion"),
        created=WHOLE,
        model=TEXT,
        choices=list_of(
            always(
                index=WHOLE,
                message=sometimes(
                    ["role", "content", "refusal"],
                    role=said("assistant"),
                    content=maybe(TEXT),
                    refusal={"type": "null"},
                    tool_calls=list_of(ref("Call"), minItems=1),
                ),
                logprobs={"type": "null"},
                finish_reason=said("stop", "tool_calls"),
            )
        ),
        usage=maybe(USAGE),
    ),
    "ChatChunk": sometimes(
        ["id", "object", "created", "model", "choices"],
        id=TEXT,
        object=said("chat.completion.chunk"),
        created=WHOLE,
        model=TEXT,
        choices=list_of(
            always(
                index=WHOLE,
                delta=sometimes(
                    [],
                    role=said("assistant"),
                    content=TEXT,
                    tool_calls=list_of(sometimes(["index", "function"], index=WHOLE)),
                ),
                logprobs={"type": "null"},
                finish_reason=said("stop", "tool_calls", None),
            )
        ),
        usage=maybe(USAGE),
    ),
    "ChatEvent": event(
        "Chunks as OpenAI has them; one with `usage`, if `stream_options.include_usage` asks for "
        "it; then the word `[DONE]`. What fails after the beginning is an `error`, and the end.",
        {"anyOf": [written(ref("ChatChunk")), written(ref("Error")), said("[DONE]")]},
    ),
    "EmbeddingsRequest": sometimes(
        ["model", "input"],
        model=TEXT | {"minLength": 1},
        input={
            "oneOf": [
                TEXT | {"minLength": 1},
                list_of(TEXT | {"minLength": 1}, minItems=1, maxItems=MOST_TEXTS),
            ]
        },
        encoding_format=said("float", "base64", None),
        dimensions=maybe(WHOLE) | {"description": "The model's own; others are refused."},
    ),
    "Embeddings": always(
        object=said("list"),
        data=list_of(
            always(
                object=said("embedding"),
                index=WHOLE,
                embedding={"oneOf": [list_of(NUMBER), TEXT]},
            )
        ),
        model=TEXT,
        usage=always(prompt_tokens=WHOLE, total_tokens=WHOLE),
    ),
    "Model": always(id=TEXT, object=said("model"), created=WHOLE, owned_by=TEXT),
    "Models": always(object=said("list"), data=list_of(ref("Model"))),
}
