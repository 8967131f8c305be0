"""Lint of variables that no expression reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Diagnostic, Fix
from netbuild.diagnostics.wording import brief, did_you_mean
from netbuild.syntax.node import Map
from netbuild.syntax.removal import without_entry
from netbuild.syntax.substitution import names_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.checks.lint.flow import Flow


def unread_variables(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a variable of the file that no expression reads, as a misspelt one does.

    The variables of a base file are not counted: another file may read them.
    """
    config = flow.graph.config
    node = config.root.get("vars")
    misspelt = any(fault.code == "NB110" for fault in config.diagnostics)
    if not isinstance(node, Map) or misspelt:  # an expression with a fault may mean the variable
        return
    own = [e.key for e in node.entries.values() if e.key.span.document is config.document]
    read = names_in(config.root) if own else set()
    entries = node.entries.items()
    others = [name for name, (key, _) in entries if key.span.document is not config.document]
    for key in own:
        if key.text in read:
            continue
        help_, fixes = did_you_mean(key.text, others, key.span)
        help_ = help_ or f"write ${key.text} where its value belongs, or leave it out"
        is_alone = len(node.entries) == 1
        edit = without_entry(config.root, "vars") if is_alone else without_entry(node, key.text)
        if edit is not None:
            fixes += (Fix(f"leave out {brief(key.text)}", (edit,)),)
        label = f"no expression reads {brief(key.text)}"
        title = "a variable that nothing reads"
        yield Diagnostic("NB327", title, key.span, label, help=help_, fixes=fixes)
