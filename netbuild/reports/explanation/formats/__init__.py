"""Explanations as text, as JSON and as Markdown."""

from netbuild.reports.explanation.json_format import as_json
from netbuild.reports.explanation.markdown_format import markdown
from netbuild.reports.explanation.text_format import text

__all__ = ["as_json", "markdown", "text"]
