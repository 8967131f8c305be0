"""A node of a file of ONNX, with its attributes as values of Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch


class Step(NamedTuple):
    """One operator at its place.

    `batch` is the number of samples that the file takes; None if it takes any number.
    """

    name: str
    type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    opset: int
    batch: int | None = None

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute."""
        return self.attributes.get(name, default)

    def with_batch(self, sizes: list[int], x: torch.Tensor) -> list[int]:
        """Return sizes for the batch at hand, where the file has written its own number."""
        if self.batch is not None and sizes and sizes[0] == self.batch:
            return [x.shape[0], *sizes[1:]]
        return sizes


def steps(model: Any, batch: int | None) -> list[Step]:
    """Return the nodes of a file, in the order of execution."""
    from onnx import helper

    opset = max((one.version for one in model.opset_import if not one.domain), default=1)
    found = []
    for number, node in enumerate(model.graph.node):
        values = {a.name: _value(helper.get_attribute_value(a)) for a in node.attribute}
        name = node.name or f"{node.op_type}_{number}"
        places = tuple(node.input), tuple(node.output)
        found.append(Step(name, node.op_type, *places, values, opset, batch))
    return found


def _value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return list(value) if hasattr(value, "__iter__") and not isinstance(value, str) else value
