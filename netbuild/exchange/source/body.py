"""The lines of a `forward`: short calls within one another, and names where a person needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.layers.elementwise.functions import FUNCTIONS
from netbuild.exchange.operation_names import variable
from netbuild.exchange.source.text import ATOM, WIDTH, Code, Text, flat, lines, power
from netbuild.exchange.source.values import Value, as_method, code, is_operator, step_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netbuild.exchange.source.values import Step

#: The most calls within one another on a line.
_DEEPEST = 3


class Waiting(NamedTuple):
    """A step that is not written yet: its code, and how many calls are in it."""

    step: Step
    code: Code
    depth: int


class Body:
    """Writes steps as statements.

    Args:
        steps: the steps in their order, without those whose results nobody needs.
        results: what the statements lead to.
        arguments: the variables of the inputs, by their steps.
        access: gives the code of a module or a tensor of the stack by its name.
        given: gives the code of the literals of a step.
        typed: whether a result has the type Tensor for mypy only if its variable has it.
        indent: the columns before a statement.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        results: Sequence[Value],
        arguments: dict[Step, str],
        access: Callable[[str], str],
        given: Callable[[Step], list[Code]],
        *,
        indent: int = 8,
    ) -> None:
        self.access, self.given, self.indent = access, given, indent
        self.steps = [step for step in steps if step.kind not in {"input", "attribute"}]
        self.results = [step_of(value) for value in results]
        self.places = {step: number for number, step in enumerate(self.steps)}
        self.readers: dict[Step, list[int]] = {}
        for number, step in enumerate(self.steps):
            for value in step.reads:
                self.readers.setdefault(step_of(value), []).append(number)
        for step in self.results:
            self.readers.setdefault(step, []).append(len(self.steps))
        self.names = dict(arguments)
        self.holds = {name: step for step, name in arguments.items()}
        self.tensors = set(arguments.values())
        self.known: set[Step] = set(arguments)
        self.meant = {variable(step.hint) for step in self.steps if step.meant}
        self.waiting: list[Waiting] = []
        self.lines: list[str] = []

    def write(self) -> list[str]:
        """Return the statements, with the `return`."""
        for step in self.steps:
            self.take(step)
        self.finish()
        return self.lines

    def take(self, step: Step) -> None:
        """Write what must stand before a step, and let the step wait for its reader."""
        if step in self.names:  # it is an element of a tuple that was taken apart
            return
        if self.starts_formula(step):
            self.flush()
        inner = self.inlined(step)
        read = {step_of(value) for value in step.reads}
        if len(inner) < sum(one.step in read for one in self.waiting):
            self.flush()
            inner = []
        rest = len(self.waiting) - len(inner)
        kept, self.waiting = self.waiting[rest:], self.waiting[:rest]
        within = {one.step: one.code for one in kept}

        def told(value: Value) -> Code:
            source = step_of(value)
            return within[source] if source in within else self.atom(source)

        depth = max((one.depth for one in kept), default=0)
        if step.kind == "loop":
            self.flush()
            self.loop(step, told)
            return
        made = self.made(step, told)
        if self.is_typed(step):
            self.known.add(step)
        if step.count and self.is_taken_apart(step):
            self.flush()
            self.apart(step, made)
            return
        deeper = step.kind != "item" and not is_arithmetic(step)
        self.waiting.append(Waiting(step, made, depth + deeper))
        if len(self.readers.get(step, ())) != 1 or step.alone or step.named:
            self.flush()

    def made(self, step: Step, told: Callable[[Value], Code]) -> Code:
        """Return the code of a step."""
        given = self.given(step)
        if step.kind in {"module", "choice"}:
            place = self.access(step.name)
            step_ = step_named(step, place)
            made = code(step_, told, given)
            if step.kind == "choice":
                x = flat(told(step.reads[0]))
                return Text(f"{x} if {place} is None else {flat(made)}", 1)
            return made
        return code(step, told, given)

    def inlined(self, step: Step) -> list[Waiting]:
        """Return the steps that wait and can stand within a step: the last ones, in order."""
        read = [step_of(value) for value in step.reads]
        found: list[Waiting] = []
        wanted = [source for source in read if any(one.step is source for one in self.waiting)]
        tail = self.waiting[len(self.waiting) - len(wanted) :]
        if [one.step for one in tail] == wanted:
            found = tail
        if step.alone and step.kind != "module":
            return []
        if step.alone and any(not is_simple(one.step) for one in found):
            return []
        if any(one.step.part != step.part and is_both_elementwise(one.step, step) for one in found):
            return []  # the importer would read both as one formula
        if found and step.kind == "function" and all(one.step.part == step.part for one in found):
            return found
        module = step.kind == "module"
        for one in found:
            if one.depth >= _DEEPEST or (module and one.step.ends and one.depth > 1):
                return []
        most = WIDTH - (26 if is_arithmetic(step) else 14)
        if sum(len(flat(one.code)) for one in found) + self.own_length(step) > most:
            return []
        return found

    def starts_formula(self, step: Step) -> bool:
        """Whether a formula begins that a step which waits would tear apart."""
        place = self.places[step]
        if step.kind != "function" or (place and self.steps[place - 1].part == step.part):
            return False
        inside = [one for one in self.steps[place + 1 :] if one.part == step.part]
        read = {step_of(value) for one in inside for value in one.reads}
        return any(one.step in read for one in self.waiting)

    def items(self, step: Step) -> dict[int, Step]:
        """Return the elements of a tuple that are read; none if something reads the tuple."""
        readers = [self.steps[n] for n in self.readers.get(step, ()) if n < len(self.steps)]
        items = {one.literals[0]: one for one in readers if one.kind == "item"}
        return items if len(items) == len(readers) else {}

    def is_taken_apart(self, step: Step) -> bool:
        """Whether several elements of a tuple are read, and nothing else."""
        return len(self.items(step)) > 1

    def apart(self, step: Step, made: Code) -> None:
        """Write a tuple that is taken apart."""
        items, names = self.items(step), []
        for number in range(step.count):
            if number in items:
                hint = items[number].hint
                if step.named and not hint.startswith(step.hint):
                    hint = f"{step.hint}_{hint}"
                name = self.named(variable(hint), self.places[step])
                self.names[items[number]], self.holds[name] = name, items[number]
                self.known.add(items[number])
                names.append(name)
            else:
                names.append("_")
        self.lines += lines(made, self.indent, f"{', '.join(names)} = ")

    def is_typed(self, step: Step) -> bool:
        """Whether mypy knows that a result is a tensor: it comes from functions of torch."""
        read = [step_of(value) for value in step.reads]
        if is_arithmetic(step):
            return all(source in self.known for source in read)
        if step.kind == "method" or (step.kind == "function" and as_method(step.name)):
            return read[0] in self.known and isinstance(step.arguments[0], Value)
        return step.kind == "function"

    def own_length(self, step: Step) -> int:
        """Return about how long a step is without what it reads."""
        literals = sum(len(flat(one)) + 6 for one in self.given(step))
        return len(step.name) + 8 + literals + 3 * len(step.reads)

    def atom(self, step: Step) -> Code:
        """Return the code of a value that is already written, or of a tensor of the stack."""
        if step.kind == "attribute":
            return Text(self.access(step.name))
        return Text(self.names[step])

    def flush(self) -> None:
        """Write all steps that wait."""
        for one in self.waiting:
            if self.readers.get(one.step):
                self.assign(one.step, one.code)
            else:
                self.lines += lines(one.code, self.indent)
        self.waiting = []

    def assign(self, step: Step, made: Code) -> None:
        """Write an assignment."""
        name, typed = self.name(step), ""
        if self.results == [step] and step not in self.known and name not in self.tensors:
            free = "x" in self.tensors and not step.named
            name, typed = ("x", "") if free else (self.result_name(step), ": Tensor")
        if step.meant:
            typed = ": Tensor"
        self.names[step] = name
        self.holds[name] = step
        if name in self.tensors:
            self.known.add(step)
        self.lines += lines(made, self.indent, f"{name}{typed} = ")

    def name(self, step: Step) -> str:
        """Return the variable of a step: `x` in a flow, else the name in the file."""
        place = self.places[step]
        if not step.named and self.flows(step):
            for name in ("x", "y"):
                if name not in self.meant and self.is_free(name, place):
                    return name
        return self.named(variable(step.hint), place)

    def result_name(self, step: Step) -> str:
        """Return the variable of the result of the stack, which has its type for mypy."""
        called = step.kind in {"module", "loop", "checkpoint", "choice"} and not step.named
        return "out" if called else self.named(variable(step.hint), self.places[step])

    def flows(self, step: Step) -> bool:
        """Whether the next line reads a result, and nothing else does: it needs no name."""
        place = self.places[step]
        readers = self.readers.get(step, [place])
        near = place + 1
        if near < len(self.steps) and self.steps[near].kind == "choice":
            near += 1
        if step.kind == "choice" or readers[-1] > near:
            return False
        if readers[-1] == len(self.steps):
            return len(self.results) == 1
        read = [step_of(value) for value in self.steps[readers[-1]].reads]
        read = [source for source in read if source.kind != "attribute"]
        return len(read) <= 2 or read[0] is step

    def named(self, wanted: str, place: int) -> str:
        """Return a free variable: the wanted one, or one with a number behind it."""
        for name in (wanted, *(f"{wanted}{number}" for number in range(2, 10_000))):
            if self.is_free(name, place):
                return name
        raise AssertionError("a stack has fewer layers")

    def is_free(self, name: str, place: int) -> bool:
        """Whether no later step reads what a variable holds."""
        held = self.holds.get(name)
        return held is None or max(self.readers.get(held, [-1])) <= place

    def loop(self, step: Step, told: Callable[[Value], Code]) -> None:
        """Write a loop over a run of blocks."""
        first, *others = (flat(told(value)) for value in step.reads)
        name = self.name(step)
        if name != first:
            self.lines.append(f"{' ' * self.indent}{name} = {first}")
        self.names[step], self.holds[name] = name, step
        one = "block" if "block" not in self.holds else "block_"
        self.lines.append(f"{' ' * self.indent}for {one} in {self.access(step.name)}:")
        given = ", ".join((name, *others))
        made = {
            "checkpoint": f"checkpoint({one}, {given}, use_reentrant=False)",
            "recomputed": f"recomputed({one}, {given})",
        }.get(step.how, f"{one}({given})")
        self.lines += lines(Text(made), self.indent + 4, f"{name} = ")

    def ends(self) -> tuple[list[str], list[Code]]:
        """Return the statements, and the code of the results without their batch axis."""
        for step in self.steps:
            self.take(step)
        if len(self.results) == 1 and self.waiting and self.waiting[-1].step is self.results[0]:
            made = self.waiting.pop()
            self.flush()
            return self.lines, [_without_batch(made.code)]
        self.flush()
        return self.lines, [_without_batch(self.atom(result)) for result in self.results]

    def finish(self) -> None:
        """Write the `return`."""
        if len(self.results) == 1 and self.waiting and self.waiting[-1].step is self.results[0]:
            last = self.waiting.pop()
            self.flush()
            if last.step in self.known:
                self.lines += lines(last.code, self.indent, "return ")
                return
            name, typed = (
                ("x", "") if "x" in self.tensors else (self.result_name(last.step), ": Tensor")
            )
            self.lines += lines(last.code, self.indent, f"{name}{typed} = ")
            self.lines.append(f"{' ' * self.indent}return {name}")
            return
        self.flush()
        made = Text(", ".join(flat(self.atom(step)) for step in self.results))
        self.lines += lines(made, self.indent, "return ")


def _without_batch(made: Code) -> Code:
    text = flat(made)
    if text.endswith(".unsqueeze(0)"):
        return Text(text.removesuffix(".unsqueeze(0)"))
    return Text(f"({text}).squeeze(0)" if power(made) < ATOM else f"{text}.squeeze(0)")


def step_named(step: Step, place: str) -> Step:
    """Return the call of a module as a call of its place."""
    from dataclasses import replace

    return replace(step, name=place)


def is_arithmetic(step: Step) -> bool:
    """Whether a step is an operator, which makes a line no deeper."""
    return step.kind == "function" and is_operator(step.name)


def is_both_elementwise(one: Step, other: Step) -> bool:
    """Whether two steps compute element by element."""
    return all(
        step.kind == "function"
        and (is_operator(step.name) or step.name.rpartition(".")[2] in FUNCTIONS)
        and step.name != "torch.matmul"
        for step in (one, other)
    )


def is_simple(step: Step) -> bool:
    """Whether a step is short enough to stand among the arguments of a stack."""
    if step.kind == "method":
        return step_of(step.arguments[0]).kind == "attribute"
    return step.kind == "item"


def live(
    steps: Sequence[Step], results: Sequence[Value], kept: Callable[[Step], bool]
) -> list[Step]:
    """Return the steps that results need, and those that are kept, in their order."""
    needed = {step_of(value) for value in results}
    for step in reversed(steps):
        if step in needed or kept(step):
            needed.add(step)
            needed.update(step_of(value) for value in step.reads)
    return [step for step in steps if step in needed]
