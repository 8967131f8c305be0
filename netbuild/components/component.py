"""The base of everything that a file can name: layers, losses, optimizers and so on.

A component is a frozen pydantic class. It has the name, the fields and the defaults of its torch
class. Its fields say everything that a file may write about it. Faults, examples, the JSON schema
and the arguments of torch's constructor are made from these fields.
"""

import ast
import importlib
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from itertools import pairwise
from types import MappingProxyType, ModuleType
from typing import Any, ClassVar, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic_core import core_schema
from pydantic_core.core_schema import CoreSchema

#: The largest size, count or seed: each has at most 31 bits.
LARGEST = (1 << 31) - 1


class FromInput:
    """Marks a field that the input decides. A file may omit it; a written value is checked."""


class Nested(NamedTuple):
    """Marks a field whose value is an item or a list of items, in the usual notation of items.

    `known` holds the components that the field may name. Messages call them `what`.
    """

    what: str
    known: Mapping[str, type["Component"]]
    many: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        """Accept the component that `fill` made from the item."""
        one = core_schema.is_instance_schema(Component)
        if self.many:
            return core_schema.tuple_schema([one], variadic_item_index=0, min_length=1)
        return core_schema.nullable_schema(one)


class Component(BaseModel):
    """Base of everything that a file names by a capitalised type."""

    #: Names of the fields that come last, in this order: torch has some fields of a base last.
    last: ClassVar[str] = ""
    #: The first release of torch with this component, and with some of its fields, as in "2.9".
    #: Without an entry, the oldest release that netbuild works with has it.
    since: ClassVar[str | None] = None
    fields_since: ClassVar[Mapping[str, str]] = MappingProxyType({})

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True,
        extra="forbid",
        defer_build=True,
        validate_default=False,
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Put the fields in order. They are also validated and shown in this order."""
        _forget_class_variables(cls)
        fields = cls.__pydantic_fields__
        for name in cls.last.split():
            if name in fields:
                fields[name] = fields.pop(name)


def _forget_class_variables(cls: type[BaseModel]) -> None:
    """Remove the annotations of class variables, after pydantic has read them.

    It would read them again for each subclass, and every start would be slower. A private one it
    needs again.
    """
    for name in cls.__class_vars__:
        if not name.startswith("_"):
            cls.__annotations__.pop(name, None)


_forget_class_variables(Component)

C = TypeVar("C", bound=BaseModel)


def declared(base: type[C], module: ModuleType) -> dict[str, type[C]]:
    """Return the components that a module declares, by name, in the order of the file.

    A class whose name begins with `_` is the base of a family. No file can name it.
    """
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and issubclass(value, base)
        and value.__module__ == module.__name__
        and not name.startswith("_")
        and value is not base
    }


class Families(Mapping[str, type[C]]):
    """The components that the modules of a package declare, by name, in the order of `families`.

    A module is imported when one of its names is asked for, so a network of convolutions does not
    wait for transformers. The lines that begin with `class` in the sources tell the module of a
    name.
    """

    def __init__(self, base: type[C], package: str, families: Iterable[str]) -> None:
        self._base, self._package = base, package
        self._families = (*families,)
        self._unread = {*self._families}
        self._found: dict[str, dict[str, type[C]]] = {}
        self._known: dict[str, type[C]] = {}

    def __getitem__(self, name: str) -> type[C]:
        if name not in self._known and self._unread and name in self._homes:
            self._read(self._homes[name])
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        for family in self._families:
            if family in self._unread:
                self._read(family)
        return iter([name for family in self._families for name in self._found[family]])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @cached_property
    def _homes(self) -> dict[str, str]:
        """The family of each class, by its name."""
        folder = importlib.import_module(self._package).__path__[0]
        found: dict[str, str] = {}
        for family in self._families:
            with open(f"{folder}/{family}.py", encoding="utf-8") as file:  # noqa: PTH123  at start
                found |= dict.fromkeys(re.findall(r"\nclass ([A-Z]\w*)\b", file.read()), family)
        return found

    def _read(self, family: str) -> None:
        module = importlib.import_module(f"{self._package}.{family}")
        self._found[family] = declared(self._base, module)
        self._known |= self._found[family]
        self._unread.discard(family)


@cache
def bare_field(component: type[BaseModel]) -> str | None:
    """Return the field that a bare value (`Linear: 120`) fills; None if there is none.

    It is the first field that the input does not decide. If a field that the input decides comes
    before it, it must be required: people who know torch read `BatchNorm2d: 64` as 64 channels,
    and the value would become an eps of 64.
    """
    left_to_input = False
    for name, info in component.model_fields.items():
        if not any(isinstance(mark, FromInput) for mark in info.metadata):
            return name if info.is_required() or not left_to_input else None
        left_to_input = True
    return None


@cache
def field_notes(component: type[BaseModel]) -> Mapping[str, str]:
    """Return the meaning of each field of a component, by the field's name: one line each.

    The meaning is the text on the line below the field, in the class or in the nearest base that
    has such a text. Python does not keep these texts, so this function reads the sources.
    """
    found: dict[str, str] = {}
    for base in reversed(component.__mro__):
        if base is not BaseModel and issubclass(base, BaseModel):
            found |= _notes(base.__module__).get(base.__name__, {})
    return {name: found[name] for name in component.model_fields if name in found}


@cache
def _notes(module: str) -> dict[str, dict[str, str]]:
    """Return the texts below the fields of a module's classes."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    return {node.name: _notes_of(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _notes_of(node: ast.ClassDef) -> dict[str, str]:
    found = {}
    for field, text in pairwise(node.body):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            found[field.target.id] = inspect.cleandoc(str(text.value.value))
    return found
