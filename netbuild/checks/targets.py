"""Check with what each loss compares: its `target`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.objective import of_loss
from netbuild.components.target import Signs, Values
from netbuild.components.tensor import times
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.diagnostics.wording import brief, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netbuild.components.tensor import Tensor
    from netbuild.config.config import Config
    from netbuild.config.losses import LossTerm


def check(config: Config, outputs: Mapping[str, Tensor]) -> Iterator[Diagnostic]:
    """Yield the fault of each loss whose target does not exist, or cannot be compared with."""
    for term in config.losses:
        found = config.against(term, outputs)
        if found is None:
            yield _missing(config, outputs, term)
        elif found.kind == "number":
            reason = _unfit_number(term, outputs, found.number)
            if reason:
                title = f"{term.item.type.text} does not compare with one number"
                yield _fault(term, title, reason)
        elif found.kind in {"output", "input"}:
            tensors = outputs if found.kind == "output" else config.inputs
            reason = _unfit_tensor(term, outputs, tensors[found.name])
            if reason:
                title = f"{term.item.type.text} cannot compare with this {found.kind}"
                yield _fault(term, title, f"{found.name} holds {reason}")


def _missing(config: Config, outputs: Mapping[str, Tensor], term: LossTerm) -> Diagnostic:
    """Return the fault of a loss whose target is missing, unknown or superfluous."""
    name, called = term.target, term.item.type.text
    targets = config.targets
    if not term.loss.compares:
        label = f"{called} reads outputs alone, and compares them with no target"
        return _fault(term, f"{called} takes no target", label, "remove target")
    if name is None:
        title = f"{called} does not say with which target it compares"
        label = f"the data has {len(targets)} targets: {', '.join(targets)}"
        advice = f"write {{{called}, target: {targets[0]}}}"
        return Diagnostic("NB413", title, term.item.type.span, label, help=advice)
    known = [*targets, *outputs, *config.inputs]
    span = term.item.modifiers["target"].value.span
    help_: str | None
    help_, fixes = did_you_mean(str(name), known, span)
    title = f"there is no target, output or input {brief(str(name))}"
    if help_ is None:
        parts = {"targets": targets, "outputs": outputs, "inputs": config.inputs}
        help_ = "; ".join(f"the {noun} are {', '.join(names)}" for noun, names in parts.items())
    return Diagnostic("NB413", title, span, "unknown", help=help_, fixes=fixes)


def _fault(term: LossTerm, title: str, label: str, help_: str | None = None) -> Diagnostic:
    span = term.item.modifiers["target"].value.span
    return Diagnostic("NB413", title, span, label, help=help_)


def _unfit_number(term: LossTerm, outputs: Mapping[str, Tensor], number: float) -> str:
    """Return why a loss cannot compare its output with one number; "" if it can."""
    compared, loss = list(term.compared(outputs).values()), term.loss
    if len(compared) != len(loss.inputs):
        return ""  # another check reports it
    wanted = of_loss(term, outputs)
    if not isinstance(wanted, Values | Signs) or wanted.shape != compared[0].shape:
        return f"it compares with {wanted}, and not value by value"
    if isinstance(wanted, Signs) and number not in {1, -1}:
        return f"it compares with {wanted}"
    if loss.binary and not isinstance(wanted, Signs) and not 0 <= number <= 1:
        return "it compares with numbers from 0 to 1"
    return ""


def _unfit_tensor(term: LossTerm, outputs: Mapping[str, Tensor], tensor: Tensor | None) -> str:
    """Return what an output or an input holds that a loss cannot compare with; "" if it can."""
    if tensor is None or tensor.floating:
        return ""
    wanted = of_loss(term, outputs)
    held = f"{tensor.dtype} of shape {times(tensor.shape)}" if tensor.shape else tensor.dtype
    whole = tensor.dtype == "int64" and not isinstance(wanted, Values | Signs)
    is_input = tensor in outputs.values()
    return "" if whole and not is_input else f"{held}, and it compares with {wanted}"
