"""From `MODULE:CALL` to a module of torch: `torchvision.models:resnet18`, `nets.py:Net(3)`."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from netbuild.diagnostics.exceptions import ImportedError
from netbuild.exchange.importer.written_inputs import shapes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType


def module_of(target: str, arguments: Mapping[str, Any] | None = None) -> nn.Module:
    """Return the module that a target makes.

    Args:
        target: `MODULE:CALL`. MODULE is a module of Python or a file; the current folder is
            searched too. CALL is a class, a function or a module of torch, with arguments in
            parentheses.
        arguments: further arguments of the call by name.

    Raises:
        ImportedError: there is no such thing, or the call fails or returns something else.
    """
    place, _, call = target.rpartition(":")
    if not place or not call:
        raise ImportedError(f"{target} is not MODULE:CALL, such as torchvision.models:resnet18")
    name, given, named = _call(call)
    found: Any = _attribute(_imported(place), name, place)
    if not isinstance(found, nn.Module):
        if not callable(found):
            raise ImportedError(f"{name} in {place} is no class, no function and no nn.Module")
        try:
            found = found(*given, **{**named, **(arguments or {})})
        except Exception as error:
            message = f"{target} raises {type(error).__name__}: {error}"
            raise ImportedError(message) from error
    elif given or named or arguments:
        raise ImportedError(f"{name} in {place} is a module already, and takes no arguments")
    if not isinstance(found, nn.Module):
        raise ImportedError(f"{target} returns {type(found).__name__}, and no nn.Module")
    return found


def _call(text: str) -> tuple[str, list[Any], dict[str, Any]]:
    """Return the name and the arguments of `Net(width=8)`."""
    message = f"{text} is no name and no call with plain values, such as Net(width=8)"
    try:
        tree = ast.parse(text, mode="eval").body
        if isinstance(tree, (ast.Name, ast.Attribute)):
            return ast.unparse(tree), [], {}
        if not isinstance(tree, ast.Call) or any(one.arg is None for one in tree.keywords):
            raise ImportedError(message)
        given = [ast.literal_eval(one) for one in tree.args]
        named = {str(one.arg): ast.literal_eval(one.value) for one in tree.keywords}
    except (SyntaxError, ValueError) as error:
        raise ImportedError(message) from error
    return ast.unparse(tree.func), given, named


def _imported(place: str) -> ModuleType:
    """Import a module of Python, or a file."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        if place.endswith(".py"):
            return _from_file(Path(place))
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and (place == error.name or place.startswith(f"{error.name}.")):
            raise ImportedError(f"there is no module {place}") from error
        raise ImportedError(f"{place} needs {error.name}, which is not installed") from error
    except Exception as error:
        message = f"{place} cannot be imported: {type(error).__name__}: {error}"
        raise ImportedError(message) from error


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ImportedError(f"there is no file {path}")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportedError(f"{path} is no file of Python")
    made = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = made
    spec.loader.exec_module(made)
    return made


def _attribute(module: ModuleType, name: str, place: str) -> Any:
    try:
        return reduce(getattr, name.split("."), module)
    except AttributeError as error:
        raise ImportedError(f"{place} has no {name}") from error


def samples(written: Sequence[str]) -> dict[str, torch.Tensor] | torch.Tensor:
    """Return a batch of two samples for each `NAME=3,224,224:float32`.

    A single input without a name is a tensor.

    Raises:
        ImportedError: it is no shape, or an unknown dtype.
    """
    read = shapes(written)
    found = {
        name: _sample((2, *shape), getattr(torch, dtype)) for name, (shape, dtype) in read.items()
    }
    return found.get("", found)


def _sample(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    if dtype.is_floating_point:
        return torch.randn(shape)
    found = torch.arange(torch.Size(shape).numel()).reshape(shape) % 2
    return found.to(dtype)
