"""The texts that a workflow may search."""

from pathlib import Path

from engine.errors import ConfigError
from engine.workflow.corpus import python_reference

SUFFIXES = (".txt", ".md", ".markdown", ".rst")


def corpus_of(name: str) -> dict[str, str]:
    """The texts by topic: those that ship with the interpreter, or those of a folder by path.

    Raises:
        ConfigError: The folder is missing, holds no text, or holds one that is not UTF-8.
    """
    if name == "python-reference":
        return python_reference()
    folder = Path(name.removeprefix("folder:")).expanduser()
    if not folder.is_dir():
        raise ConfigError(f"retrieval.corpus: got {name!r}, which is no folder; write one's path")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        kinds = ", ".join(SUFFIXES)
        raise ConfigError(f"retrieval.corpus: {folder} holds no text; put files there ({kinds})")
    return {str(path.relative_to(folder)): _read(path) for path in files if path.is_file()}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"retrieval.corpus: {path} is not UTF-8: {error}; save it so") from error
