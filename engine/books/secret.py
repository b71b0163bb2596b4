"""Ids that only this workspace can have given out."""

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from engine.books.durable import TMP_PREFIX, make_folder, sync_folder
from engine.errors import BookError, StoreFullError

SECRET_BYTES = 32
SIGNATURE_DIGITS = 16
"""Hex digits of a signature: 64 bits, against guessing one online."""


def workspace_secret(root: Path) -> bytes:
    """The workspace's secret, made by whoever asks first; everybody gets the same one.

    Raises:
        BookError: The file holds something else.
        StoreFullError: It could not be made.
    """
    path = root / "secret"
    if not path.exists():
        _create(path)
    text = path.read_text(encoding="ascii", errors="replace").strip()
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise BookError(
            f"{path}: not {SECRET_BYTES} bytes in hex; restore it, or remove it (ids given out "
            "before are then refused)"
        )
    return secret


def sign(secret: bytes, text: str) -> str:
    """The text with its signature: 16 hex digits of HMAC-SHA256 after a dot."""
    return f"{text}.{_signature(secret, text)}"


def verified(secret: bytes, signed: str) -> str | None:
    """The text that was signed, or None when this secret never signed it."""
    text, dot, signature = signed.rpartition(".")
    given = signature.encode(errors="surrogatepass")
    if not dot or not hmac.compare_digest(given, _signature(secret, text).encode()):
        return None
    return text


def _signature(secret: bytes, text: str) -> str:
    body = text.encode(errors="surrogatepass")
    return hmac.new(secret, body, hashlib.sha256).hexdigest()[:SIGNATURE_DIGITS]


def _create(path: Path) -> None:
    make_folder(path.parent)
    tmp = path.parent / f"{TMP_PREFIX}{secrets.token_hex(8)}"
    try:
        handle = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(SECRET_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        # a link, not a rename: it refuses when somebody else was first
        with suppress(FileExistsError):
            path.hardlink_to(tmp)
    except OSError as error:
        raise StoreFullError(f"{path}: not written ({error}); free some space, retry") from error
    finally:
        tmp.unlink(missing_ok=True)
    sync_folder(path.parent)
