"""What all samples share, where it is repeated once for each sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.whole.network import Step, Value
from tests.whole.refusal import Refusal

if TYPE_CHECKING:
    import torch

    from tests.whole.reader import Reader
    from tests.whole.scope import Made


def repeated(reader: Reader, value: Value, sample: Value) -> Value:
    """Return a value that all samples share, once for each sample."""

    def call(x: torch.Tensor, other: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (x.expand(len(other), *x.shape[1:]),)

    (tensor,) = call(reader.values[value.number], reader.values[sample.number])
    found = reader.value(tensor)
    reads = (value.number, sample.number)
    reader.network.steps.append(Step("Repeat", "", call, None, reads, (found.number,)))
    return found


def for_each_sample(reader: Reader, gives: dict[str, Value]) -> dict[str, Value]:
    """Return the outputs of the network, each with a value for each sample."""
    sample = Value(reader.network.reads[0])
    return {
        name: repeated(reader, value, sample) if value.shared else value
        for name, value in gives.items()
    }


def as_the_module_reads(
    reader: Reader, original: Made | None, inputs: dict[str, Value]
) -> dict[str, Value]:
    """Return the inputs of a stack, as its module reads them; `original` is its first call.

    Raises:
        Refusal: samples have values of their own where they share one in the first call.
    """
    own = {name: value for name, value in inputs.items() if not value.shared}
    if original is None or not own:
        return inputs
    if not original.batched.issuperset(own):
        raise Refusal("reused with a value of each sample in place of a shared one")
    sample = next(iter(own.values()))
    return {
        name: repeated(reader, value, sample)
        if value.shared and name in original.batched
        else value
        for name, value in inputs.items()
    }
