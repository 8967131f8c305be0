"""The names that a file may give to layers and inputs."""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Diagnostic, Edit, Fix
from netbuild.diagnostics.wording import brief

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from netbuild.diagnostics.diagnostic import Span


#: Keys next to a type, or next to the `layers:` of a stack.
MODIFIERS = (
    *("name", "inputs", "outputs", "layers", "repeat", "when"),
    *("freeze", "init", "tie", "parametrize", "checkpoint", "pretrained"),
)
#: Names that an attribute in a generated `forward` cannot have. BERT has layers called `self`.
_NO_NAMES = {*keyword.kwlist, "torch"}
#: Names that an argument cannot have too: `forward` calls `getattr` for a layer called `0`.
_NO_ARGUMENTS = {*_NO_NAMES, "self", "getattr"}
_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
_ARGUMENT = r"[a-z][A-Za-z0-9_]*"


def is_name(name: str) -> bool:
    """Whether a module can have a name."""
    return bool(re.fullmatch(_NAME, name)) and name not in _NO_NAMES and name not in RESERVED


def valid(name: str) -> str:
    """Return a name like another one that a result can have: `aux_loss` for `aux loss`."""
    if re.fullmatch(_NAME, name):
        return name
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_-") or "output"


def valid_input(name: str) -> str:
    """Return a name like another one that an input can have: `x` for `X`."""
    found = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_") or "input"
    found = name if re.fullmatch(_ARGUMENT, name) else found[0].lower() + found[1:]
    found = found if found[0].isalpha() else f"input{found}"
    return f"{found}_" if found in _NO_ARGUMENTS else found


def name_fault(
    name: str, span: Span, siblings: AbstractSet[str], *, by_key: bool
) -> Diagnostic | None:
    """Return the fault of a name that a module cannot have; None for a valid name.

    `siblings` are the names of the other modules in the stack. In a list (`by_key` is false) a name
    cannot begin with a digit, because numbers name the other members.
    """
    if not re.fullmatch(_NAME, name) or (not by_key and name[0].isdigit()):
        first = "a letter or a digit" if by_key else "a letter"
        label = f"{brief(name)} is not a name: letters, digits, _ and -, beginning with {first}"
    elif name in _NO_NAMES:
        label = f"{name} has another meaning in Python code"
    elif name in RESERVED:
        label = f"{name} is a method or attribute of every torch module"
    elif name in siblings:
        label = f"two layers of this stack are called {name}"
    else:
        return None
    help_, fixes = _valid(name, span, _NAME)
    title = "a name that a module cannot have"
    return Diagnostic("NB109", title, span, label, help=help_, fixes=fixes)


def input_name_fault(name: str, span: Span) -> Diagnostic | None:
    """Return the fault of a name that no argument of `forward` can have; None for a valid name."""
    if not re.fullmatch(_ARGUMENT, name):
        label = f"{brief(name)} is not a name: letters, digits and _, beginning with a small letter"
    elif name in _NO_ARGUMENTS:
        label = f"{name} has another meaning in Python code"
    else:
        return None
    help_, fixes = _valid(name, span, _ARGUMENT)
    title = "a name that an input cannot have"
    return Diagnostic("NB109", title, span, label, help=help_, fixes=fixes)


def output_name_fault(name: str, span: Span) -> Diagnostic | None:
    """Return the fault of a name that no result of a stack can have; None for a valid name."""
    if re.fullmatch(_NAME, name):
        return None
    first = "a letter or a digit"
    label = f"{brief(name)} is not a name: letters, digits, _ and -, beginning with {first}"
    help_, fixes = _valid(name, span, _NAME)
    title = "a name that an output cannot have"
    return Diagnostic("NB109", title, span, label, help=help_, fixes=fixes)


def _valid(name: str, span: Span, pattern: str) -> tuple[str | None, tuple[Fix, ...]]:
    """Return the help and the fix to write a name like another one that is valid."""
    first = name[:1].lower() if pattern == _ARGUMENT else name[:1]
    valid = re.sub(r"\W+", "_", first + name[1:])
    if valid == name or valid in _NO_ARGUMENTS or not re.fullmatch(pattern, valid):
        return None, ()
    return f"write {brief(valid)}", (Fix(f"write {brief(valid)}", (Edit(span, valid),)),)


# `add_module` refuses a name that is already an attribute of the module. The module is an
# `nn.Sequential` or a `GraphModule`. The test `test_reserved_names` compares this list with the
# installed torch.
RESERVED = frozenset(
    {
        "T_destination",
        "add_module",
        "add_submodule",
        "append",
        "apply",
        "bfloat16",
        "buffers",
        "call_super_init",
        "children",
        "code",
        "compile",
        "cpu",
        "cuda",
        "delete_all_unused_submodules",
        "delete_submodule",
        "double",
        "dump_patches",
        "eval",
        "extend",
        "extra_repr",
        "float",
        "forward",
        "get_buffer",
        "get_extra_state",
        "get_parameter",
        "get_submodule",
        "graph",
        "half",
        "insert",
        "ipu",
        "load_state_dict",
        "meta",
        "modules",
        "mtia",
        "named_buffers",
        "named_children",
        "named_modules",
        "named_parameters",
        "parameters",
        "pop",
        "print_readable",
        "recompile",
        "register_backward_hook",
        "register_buffer",
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "register_full_backward_pre_hook",
        "register_load_state_dict_post_hook",
        "register_load_state_dict_pre_hook",
        "register_module",
        "register_parameter",
        "register_state_dict_post_hook",
        "register_state_dict_pre_hook",
        "requires_grad_",
        "set_extra_state",
        "set_submodule",
        "shape_env",
        "share_memory",
        "state_dict",
        "to",
        "to_empty",
        "to_folder",
        "train",
        "training",
        "type",
        "xpu",
        "zero_grad",
    }
)
