"""Functions of the rooms above, for the methods that a value has for its readers.

A notebook shows a graph with `graph._repr_html_()`, and `run.module()` builds the trained module.
What they need stands in rooms above the graph and the run, which therefore cannot import it. They
name it, as `netbuild/__init__.py` names where each public name lives, and it is imported when it is
called.
"""

from importlib import import_module
from typing import Any


def above(module: str, name: str) -> Any:
    """Return an object of a module of netbuild, such as `reports.showing.graph`."""
    return getattr(import_module(f"netbuild.{module}"), name)
