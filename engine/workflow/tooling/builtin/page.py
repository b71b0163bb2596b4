"""The readable text of an HTML page, in time linear in its length, however broken it is.

The parser of the standard library takes seconds for a hundred kilobytes of opened tags.
"""

import html
import re
from collections.abc import Iterator

BLOCKS = """
p div section article header footer main li ul ol table tr br hr h1 h2 h3 h4 h5 h6 pre blockquote
dt dd title body
"""
TAG = re.compile(r"/?([A-Za-z][A-Za-z0-9]{0,15})")
SILENT = {
    name: re.compile(f"</{name}", re.IGNORECASE)
    for name in ("script", "style", "template", "noscript", "svg")
}


def text_of(page: str) -> str:
    """The words of a page, a block a line, without scripts and styles."""
    text = html.unescape("".join(_pieces(page)))
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _pieces(page: str) -> Iterator[str]:
    # Whatever is opened and never closed ends the page: to look for its end again and again
    # is what makes other parsers slow.
    blocks = frozenset(BLOCKS.split())
    here = 0
    while here < len(page):
        opened = page.find("<", here)
        if opened < 0:
            yield page[here:]
            return
        yield page[here:opened]
        tag = TAG.match(page, opened + 1)
        if tag is None and page[opened + 1 : opened + 2] not in ("!", "?"):
            yield "<"
            here = opened + 1
            continue
        name = tag[1].lower() if tag else ""
        if name in blocks:
            yield "\n"
        here = _after(page, opened, name)


def _after(page: str, opened: int, name: str) -> int:
    if name in SILENT and page[opened + 1] != "/":
        closing = SILENT[name].search(page, opened)
        start, mark = (closing.end() if closing else len(page)), ">"
    else:
        start, mark = opened, "-->" if page.startswith("<!--", opened) else ">"
    end = page.find(mark, start)
    return len(page) if end < 0 else end + len(mark)
