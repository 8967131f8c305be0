"""Check which inputs and targets `normalize` scales. No sample is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.target import Values
from netbuild.components.tensor import times
from netbuild.config import scaling
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.diagnostics.wording import brief, did_you_mean
from netbuild.syntax.item import place
from netbuild.syntax.node import Map

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netbuild.components.datasets.dataset import Sample
    from netbuild.components.tensor import Tensor
    from netbuild.config.config import Config
    from netbuild.config.losses import LossTerm
    from netbuild.diagnostics.diagnostic import Fix, Span

#: The losses whose targets can be scaled, for a help.
_SCALED = "MSELoss, L1Loss, SmoothL1Loss, HuberLoss or GaussianNLLLoss"


class _Case(NamedTuple):
    """A network with a mapping in `normalize`."""

    config: Config
    wanted: Sample
    outputs: Mapping[str, Tensor]
    over_time: bool


def check(config: Config, wanted: Sample, outputs: Mapping[str, Tensor]) -> list[Diagnostic]:
    """Return the faults of a mapping in `normalize`."""
    if not isinstance(config.preparation.normalize, dict) or config.data is None:
        return []
    case = _Case(config, wanted, outputs, config.data.over_time)
    asked = scaling.scales(config, outputs)
    if not (asked.inputs or asked.targets):
        help_ = "write normalize: {inputs: true}, or leave it out"
        label = "no input and no target is scaled"
        if config.preparation.normalize["targets"] is True:
            label = "no loss compares a target with values that can be scaled"
            help_ = f"targets of {_SCALED} can be scaled"
        return [_fault(case, "nothing to normalize", label, help_=help_)]
    faults = [f for name, one in asked.inputs.items() for f in _of_input(case, name, one)]
    faults += [f for name, one in asked.targets.items() for f in _of_target(case, name, one)]
    return faults or list(_of_outputs(case, asked))


def _of_input(case: _Case, name: str, numbers: Any) -> Iterator[Diagnostic]:
    """Yield the fault of an input that cannot be scaled as written."""
    inputs = case.config.inputs
    if name not in inputs:
        yield _unknown(case, "inputs", name, [*inputs], "the network has no input")
        return
    x = inputs[name]
    if x is None:
        return
    if not x.floating:
        title = f"{_called('inputs', name)} cannot be normalized"
        label = f"it holds {x.dtype}: whole numbers, such as the numbers of categories"
        yield _fault(case, title, label, "inputs", name, help_=f"leave {name} out")
    else:
        yield from _of_numbers(case, "inputs", name, numbers, x.shape)


def _of_target(case: _Case, name: str, numbers: Any) -> Iterator[Diagnostic]:
    """Yield the fault of a target that cannot be scaled as written."""
    targets = case.wanted.targets
    if name not in targets:
        yield _unknown(case, "targets", name, [*targets], "the data has no target")
        return
    title = f"{_called('targets', name)} cannot be normalized"
    read = scaling.terms(case.config, case.outputs, name)
    wrong = next((term for term in read if not term.loss.scales), None)
    target = targets[name]
    if not read:
        yield _fault(case, title, "no loss compares with it", "targets", name)
    elif wrong is not None:
        called = type(wrong.loss).__name__
        label = f"{called} compares with {_meaning(wrong)}, which has no other unit"
        help_ = f"targets of {_SCALED} can be scaled"
        yield _fault(case, title, label, "targets", name, help_=help_, term=wrong)
    elif isinstance(target, Values):
        yield from _of_numbers(case, "targets", name, numbers, target.shape)
        yield from _of_variance(case, name, target, read)


def _called(side: str, name: str) -> str:
    """Return an input or a target in words. The only one is often called after its kind."""
    kind = side.removesuffix("s")
    return f"the {kind}" if name == kind else f"the {kind} {brief(name)}"


def _meaning(term: LossTerm) -> str:
    """Return what the target of a loss without scales is."""
    loss = term.loss
    if loss.classifies:
        return "classes"
    if type(loss).__name__ == "PoissonNLLLoss":
        return "a count"
    if loss.binary:
        return "yes or no"
    return "signs" if loss.signed else "a target"


def _of_numbers(
    case: _Case, side: str, name: str, numbers: Any, shape: tuple[int, ...]
) -> Iterator[Diagnostic]:
    """Yield the fault of numbers that are not one for each channel, or of a stream without any."""
    title = f"{_called(side, name)} cannot be normalized"
    channels = scaling.channels(shape, over_time=case.over_time)
    if numbers is True:
        if case.config.data is not None and case.config.data.streams:
            label = "the mean and the deviation of a stream are unknown before it is read"
            help_ = f"give the numbers: {{{side}: {{{name}: [[0.5], [0.25]]}}}}"
            yield _fault(case, title, label, side, name, help_=help_)
        return
    wrong = next((len(values) for values in numbers if len(values) != channels), None)
    if wrong is not None:
        plural = "" if channels == 1 else "s"
        is_ = times(shape) if shape else "one number"
        label = f"it is {is_}, with {channels} channel{plural}, and it gives numbers for {wrong}"
        yield _fault(case, title, label, side, name)


def _of_variance(
    case: _Case, name: str, target: Values, terms: list[LossTerm]
) -> Iterator[Diagnostic]:
    """Yield the fault of a variance that several channels with scales of their own share."""
    if scaling.channels(target.shape, over_time=case.over_time) == 1:
        return
    for term in terms:
        shapes = [y.shape for y in term.compared(case.outputs).values()]
        if len(term.loss.scales) > 1 and len(shapes) > 1 and shapes[1] != target.shape:
            title = f"{_called('targets', name)} cannot be normalized"
            label = f"its channels share variances, {times(shapes[1])}, and have units of their own"
            help_ = f"let the network give variances of {times(target.shape)}"
            yield _fault(case, title, label, "targets", name, help_=help_, term=term)


def _of_outputs(case: _Case, asked: scaling.Scales) -> Iterator[Diagnostic]:
    """Yield a fault for an output that is compared with a scaled target and with something else."""
    config, outputs = case.config, case.outputs
    for name in asked.targets:
        mine = scaling.terms(config, outputs, name)
        scaled = {output for term in mine for output in term.compared(outputs)}
        for term in config.losses:
            against = config.against(term, outputs)
            if term in mine or against is None or against.kind == "nothing":
                continue
            read = {*term.compared(outputs)}
            read |= {against.name} if against.kind == "output" else set()
            for output in sorted(read & scaled):
                what = against.name or f"{against.number:g}"
                title = f"an output of a scaled target that is compared with {brief(what)} too"
                label = (
                    f"{output} is {name} with mean 0 and deviation 1, and {what} has another unit"
                )
                help_ = f"leave {name} out, or compare {what} with another output"
                yield _fault(case, title, label, "targets", name, help_=help_, term=term)


def _unknown(case: _Case, side: str, name: str, known: list[str], lacks: str) -> Diagnostic:
    span = _place(case.config, side, name)
    help_, fixes = did_you_mean(name, known, span)
    help_ = help_ or f"there {'is' if len(known) == 1 else 'are'} {', '.join(known)}"
    title = f"{lacks} {brief(name)}"
    return _fault(case, title, "unknown", side, name, help_=help_, fixes=fixes)


def _fault(
    case: _Case,
    title: str,
    label: str,
    side: str | None = None,
    name: str | None = None,
    *,
    help_: str | None = None,
    fixes: tuple[Fix, ...] = (),
    term: LossTerm | None = None,
) -> Diagnostic:
    span = _place(case.config, side, name)
    notes = () if term is None else (Note("loss", f"line {term.item.type.span.line}"),)
    return Diagnostic("NB512", title, span, label, notes, help=help_, fixes=fixes)


def _place(config: Config, side: str | None, name: str | None) -> Span:
    """Return the place of a name in `normalize`; of its side, or of all of it, if it has none."""
    item = config.items["data"]
    entry = item.modifiers.get("normalize")
    node = entry.value if entry else None
    if not isinstance(node, Map) or side is None:
        return place(item, "normalize")
    inner = node.entries.get(side)
    if inner is None:
        return place(item, "normalize")
    if isinstance(inner.value, Map) and name in inner.value.entries:
        return inner.value.entries[name].key.span
    return inner.key.span
