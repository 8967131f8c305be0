"""One HTML page in one file: it loads nothing, is light or dark as the reader's system, and prints.

`page.css` holds the colours of all pages. Colours for kinds of layers and for series of numbers
differ in lightness too, so they survive greyscale and colour blindness.
"""

from __future__ import annotations

import html
import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def page(
    title: str,
    body: Iterable[str],
    *,
    styles: str = "",
    scripts: Iterable[str] = (),
    refresh: int | None = None,
) -> str:
    """Return an HTML page with the common style, styles of its own, and scripts behind its body.

    Args:
        title: the title, as plain text.
        body: pieces of HTML, one below the other.
        styles: CSS for this page alone. It may use the variables of `page.css`.
        scripts: the texts of scripts, which run when the body is there.
        refresh: after how many seconds a browser loads the page again; None for a page that stays.
    """
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<link rel="icon" href="data:,">',  # without it, browsers ask for /favicon.ico
        *([f'<meta http-equiv="refresh" content="{refresh}">'] if refresh else []),
        f"<title>{escaped(title)}</title>",
        f"<style>{text('page.css')}{styles}</style>",
        "</head>",
        "<body>",
        *body,
        *(f"<script>{script}</script>" for script in scripts),
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def escaped(text: object) -> str:
    """Return a text as HTML, for the body and for values of attributes."""
    return html.escape(str(text))


def as_script_data(value: Any) -> str:
    """Return a JSON value as the text of a script; no text in it can end the script."""
    written = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return written.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@cache
def text(name: str) -> str:
    """Return the text of a file beside this module."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
