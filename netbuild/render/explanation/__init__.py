"""Explanations as text, as JSON and as Markdown."""

from netbuild.render.explanation.json_format import as_json
from netbuild.render.explanation.markdown_format import markdown
from netbuild.render.explanation.text_format import text

__all__ = ["as_json", "markdown", "text"]
