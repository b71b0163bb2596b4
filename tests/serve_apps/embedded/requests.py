"""Requests for the embedded reader, for tests."""

from serve_apps.embedded.protocol import ChatRequest

PASSAGES = (
    "A lambda expression yields a function object. It cannot contain statements. "
    "Lambdas are written in one line.",
    'The "pass" statement is a null operation. When it is executed, nothing happens. '
    "It is useful as a placeholder.",
    "A generator function contains a yield expression. Calling it returns an iterator, "
    "known as a generator. The generator then controls execution.",
)
QUESTION = "What does a lambda expression yield?"
CALCULATOR = {
    "type": "function",
    "function": {
        "name": "calculator",
        "parameters": {"type": "object", "properties": {"expression": {"type": "string"}}},
    },
}


def message(question=QUESTION, passages=PASSAGES):
    context = "\n\n".join(f"[{n}] {text}" for n, text in enumerate(passages, 1))
    return f"Context:\n{context}\n\nQuestion: {question}"


def chat(question=QUESTION, *, system="Answer the question.", passages=PASSAGES, after=(), **more):
    messages = [
        {"role": "system", "content": system},
        {"role": "user", "content": message(question, passages)},
        *after,
    ]
    return ChatRequest.model_validate(
        {"model": "embedded-reader", "messages": messages, "temperature": 0.0} | more
    )
