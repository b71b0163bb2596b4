"""A language model's opinion of an answer; it reads the question and the answer and no more."""

import re

import openai

from engine.config.metric import Judge
from engine.errors import UpstreamError

_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")


def opinion(metric: Judge, client: openai.OpenAI, question: str, answer: str) -> float:
    """The judge's score, with its best number as 1.

    Raises:
        UpstreamError: The judge failed, or its reply holds no number of the scale.
    """
    # One pass over the template: an answer that holds "{question}" stays what it is.
    parts = {"{question}": question, "{answer}": answer}
    asked = re.sub(r"\{question\}|\{answer\}", lambda found: parts[found.group()], metric.prompt)
    try:
        reply = client.chat.completions.create(
            model=metric.model,
            messages=[{"role": "user", "content": asked}],
            temperature=0.0,
            timeout=metric.timeout_s,
        )
    except openai.OpenAIError as error:
        raise UpstreamError(f"the judge {metric.model} failed: {error}") from error
    said = (reply.choices[0].message.content if reply.choices else None) or ""
    found = _NUMBER.search(said)
    if found is None or float(found.group()) > metric.best:
        raise UpstreamError(
            f"the judge {metric.model} said {said[:80]!r}; a number from 0 to {metric.best} is "
            "wanted first, ask for it in the prompt"
        )
    return float(found.group()) / metric.best
