"""Compares what netbuild says of a file, and what it builds, with the reader's network."""

from __future__ import annotations

import contextlib
import copy
import io
import pickle
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import netbuild
from netbuild.builder.module import train
from tests.whole.inputs import zeros
from tests.whole.measure import (
    BY_VALUE,
    NOISE,
    RANDOM,
    UNCOUNTED,
    UNMEASURED,
    Counting,
    backward,
    both,
    both_in_doubles,
    fill,
    kept,
    same,
    samples,
    tuple_of,
)
from tests.whole.network import REFUSALS
from tests.whole.reader import Reader
from tests.whole.refusal import Refusal
from tests.whole.text import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from netbuild.graph.graph import Graph
    from tests.whole.network import Network

BATCHES = (2, 3)


class Disagreement(AssertionError):  # noqa: N818  what is looked for
    """netbuild and the reader disagree; `kind` is a word for the kind of it."""

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(f"{kind}: {what}")
        self.kind, self.what = kind, what


class Verdict:
    """What the reader and torch make of a text: a network, or why there is none."""

    def __init__(self, text: str) -> None:
        self.network: Network | None = None
        self.why = self.path = ""
        self.results: tuple[tuple[tuple[int, ...], torch.dtype], ...] = ()
        try:
            reader = Reader(parse(text))
            self.reads = reader.inputs
            network = reader.read()
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                self._run(network.train())
                self._evaluate(network)
        except Refusal as refusal:
            self.why, self.path = refusal.why, refusal.path
        except REFUSALS as error:
            self.why = f"{type(error).__name__}: {error}"
        else:
            self.network = network

    def _run(self, network: Network) -> None:
        for batch in BATCHES:
            frozen = [p for p in network.parameters() if not p.requires_grad]
            before = [p._version for p in frozen]
            results = network(*zeros(self.reads, batch))
            if before != [p._version for p in frozen]:
                raise Refusal("a frozen parameter that is overwritten")
            if network.spoiled(*zeros(self.reads, batch)):
                raise Refusal("what a checkpoint reads is overwritten")
            if any(y.dim() == 0 or len(y) != batch for y in results):
                raise Refusal("a result without the batch axis")
            described = tuple((tuple(y.shape[1:]), y.dtype) for y in results)
            if self.results and described != self.results:
                raise Refusal("results depend on the batch")
            self.results = described
            backward(results)
            network.zero_grad()

    def _evaluate(self, network: Network) -> None:
        """Refuse a network that reads other values in evaluation than in training."""
        dropping = network.dropping()
        network.eval()
        with torch.no_grad():
            always = network.overwritten(*zeros(self.reads, BATCHES[0]), copied=dropping)
            read = network.overwritten(*zeros(self.reads, BATCHES[0]))
        if read - always:
            raise Refusal(f"overwritten in evaluation only: {', '.join(read - always)}")


class Comparison:
    """One file; `counts` says what was compared."""

    def __init__(
        self, text: str, *, copies: bool = True, export: bool = False, folder: Path | None = None
    ) -> None:
        self.text = text
        self.copies = copies
        self.export = export
        self.folder = folder
        self.counts: Counter[str] = Counter()

    def run(self, only: str = "") -> list[Disagreement]:
        """Compare everything, or what finds differences of one kind. Return the differences."""
        verdict = Verdict(self.text)
        try:
            graph, faults = self._trace()
            if graph is None:
                self._refused(verdict, faults)
                return []
            if verdict.network is None:
                return self._accepted_alone(verdict)
            self.counts["accepted by both"] += 1
            module = self._built(verdict.network)
        except Disagreement as found:
            return [found]
        differences = []
        checks: dict[str, Callable[[], None]] = {
            "shapes": lambda: self._shapes(verdict, graph),
            "names params": lambda: self._names(verdict.network, graph),
            "run values gradients buffers mixes": lambda: self._values(verdict, module),
            "macs": lambda: self._macs(verdict, graph),
            "kept": lambda: self._kept(verdict, graph, module),
        }
        noisy = bool(verdict.network.kinds & NOISE)
        if self.copies and not noisy:
            checks["copy pickle"] = lambda: self._copies(verdict, module)
        if self.export and not noisy and "lengths" not in verdict.network.kinds:
            checks["export"] = lambda: self._exported(verdict, module)
        for words, check in checks.items():
            if only and only.split("-", maxsplit=1)[0] not in words.split():
                continue
            try:
                with contextlib.redirect_stderr(io.StringIO()):  # graphs of torch.fx write there
                    check()
            except Disagreement as found:
                differences.append(found)
            except REFUSALS as error:
                differences.append(Disagreement("run", f"{type(error).__name__}: {error}"))
        return differences

    def _accepted_alone(self, verdict: Verdict) -> list[Disagreement]:
        """Return the difference of a file that netbuild accepts, and torch does not run."""
        if any(words in verdict.why for words in BY_VALUE):
            self.counts["an index that only values decide"] += 1
            return []
        why = f"torch refuses at {verdict.path!r}: {verdict.why}"
        return [Disagreement("accepted", why)]

    def _trace(self) -> tuple[Graph | None, list[Any]]:
        try:
            with tempfile.TemporaryDirectory(dir=self.folder) as folder:
                path = Path(folder) / "whole.yaml"
                path.write_text(self.text)
                self.config = netbuild.load(path)
            return netbuild.trace(self.config), []
        except netbuild.ConfigError as error:
            return None, list(error.diagnostics)
        except Exception as error:
            raise Disagreement("crash", f"trace raises {error!r}") from error

    def _refused(self, verdict: Verdict, faults: list[Any]) -> None:
        fault = next(fault for fault in faults if fault.severity == "error")
        if verdict.network is None:
            self.counts["refused by both"] += 1
            self.counts[f"refused with {fault.code}"] += 1
            if verdict.path and all(fault.layer != verdict.path for fault in faults):
                self.counts["refused at another place"] += 1
            return
        stricter = verdict.network.stricter(fault.code, fault.layer)
        if stricter:
            self.counts[f"stricter: {stricter}"] += 1
            return
        raise Disagreement(
            f"refused-{fault.code}", f"torch runs it: {fault.layer}: {fault.message}"
        )

    def _shapes(self, verdict: Verdict, graph: Graph) -> None:
        said = {
            name: (tuple(x.shape), getattr(torch, x.dtype)) for name, x in graph.outputs.items()
        }
        assert verdict.network is not None
        given = dict(zip(verdict.network.gives, verdict.results, strict=True))
        if said != given or list(said) != list(given):
            raise Disagreement("shapes", f"netbuild says {said}, torch gives {given}")
        self.counts["shapes and dtypes of results"] += len(given)

    def _names(self, network: Network, graph: Graph) -> None:
        state = {key: tuple(value.shape) for key, value in network.state_dict().items()}
        said = {key: tuple(shape) for key, shape in graph.tensors.items()}
        if said != state:
            different = {key: (said.get(key), state.get(key)) for key in said.keys() ^ state.keys()}
            raise Disagreement("names", f"(said, torch's): {different or (said, state)}")
        learned = sum(p.numel() for p in network.parameters())
        trainable = sum(p.numel() for p in network.parameters() if p.requires_grad)
        if (graph.params, graph.trainable) != (learned, trainable):
            raise Disagreement(
                "params", f"{graph.params}, {graph.trainable}, torch's {learned}, {trainable}"
            )
        self.counts["names and shapes of tensors"] += len(state)

    def _built(self, network: Network) -> nn.Module:
        try:
            module = netbuild.build(self.config)
        except Exception as error:
            raise Disagreement("crash", f"build raises {error!r}") from error
        built = {key: tuple(value.shape) for key, value in module.state_dict().items()}
        state = {key: tuple(value.shape) for key, value in network.state_dict().items()}
        if built != state:
            raise Disagreement("built-names", f"{built.keys() ^ state.keys()}")
        fill(network)
        module.load_state_dict(network.state_dict())
        return module

    def _values(self, verdict: Verdict, module: nn.Module) -> None:
        network = verdict.network
        assert network is not None
        random = bool(network.kinds & (RANDOM | NOISE))
        for training in (True, False):
            for batch in BATCHES:
                x = self._input(verdict, batch)
                network.train(training)
                module.train(training)
                differs = both(network, module, x)
                if differs.startswith(("values", "gradients")):  # rounding, which a norm enlarges?
                    differs = both_in_doubles(network, module, x)
                mode = "training" if training else "evaluation"
                if training and random and differs.startswith("values"):
                    continue
                if differs:
                    raise Disagreement(f"{differs.split()[0]}-{mode}", f"batch {batch}: {differs}")
                self.counts[f"values in {mode}"] += 1
            if training and not random and not network.checkpoints:
                self._input_gradients(network, module, x)
            elif not training and not network.kinds & NOISE:
                self._samples_alone(module, x)
            module.load_state_dict(network.state_dict())

    def _input_gradients(
        self, network: nn.Module, module: nn.Module, x: list[torch.Tensor]
    ) -> None:
        """Compare the gradients of inputs, where torch can go back to them."""
        found = []
        for one in (network, module):
            leaves = [t.clone().requires_grad_(t.is_floating_point()) for t in x]
            try:
                backward(tuple_of(one(*[leaf.clone() for leaf in leaves])))
            except REFUSALS as error:
                if one is network:
                    return
                raise Disagreement("gradients-inputs", str(error)) from error
            found.append([leaf.grad for leaf in leaves])
        for a, b in zip(*found, strict=True):
            if (a is None) != (b is None) or (a is not None and not same(a, b)):
                raise Disagreement("gradients-inputs", "other gradients")
            self.counts["gradients of inputs"] += a is not None

    def _samples_alone(self, module: nn.Module, x: list[torch.Tensor]) -> None:
        """Expect that no sample of a batch sees another one."""
        with torch.no_grad():
            together = tuple_of(module(*[t.clone() for t in x]))
            alone = tuple_of(module(*[t[:2].clone() for t in x]))
        if not all(same(a[:2], b) for a, b in zip(together, alone, strict=True)):
            raise Disagreement("mixes", "a sample sees another one")
        self.counts["samples by themselves"] += len(alone)

    def _input(self, verdict: Verdict, batch: int) -> list[torch.Tensor]:
        assert verdict.network is not None
        x = samples(verdict.reads, batch, whole=2)
        training = verdict.network.training
        try:  # sums of whole numbers may lie behind the last row of an embedding
            with torch.no_grad():
                verdict.network.eval()(*[t.clone() for t in x])
        except REFUSALS:
            x = samples(verdict.reads, batch, whole=1)
        verdict.network.train(training)
        return x

    def _macs(self, verdict: Verdict, graph: Graph) -> None:
        assert verdict.network is not None
        if verdict.network.kinds & UNCOUNTED:
            return
        # torch's counter does not know the recurrent layers of mkldnn.
        torch._C._set_mkldnn_enabled(False)
        flops = []
        for batch in BATCHES:
            with Counting() as counter:
                verdict.network.train()(*zeros(verdict.reads, batch))
            flops.append(counter.flops)
        torch._C._set_mkldnn_enabled(True)
        of_one = 2 * flops[0] - flops[1]  # what all samples share counts once
        if of_one != graph.macs * 2:
            raise Disagreement("macs", f"{graph.macs}, torch's {of_one / 2}")
        self.counts["MACs"] += 1

    def _kept(self, verdict: Verdict, graph: Graph, module: nn.Module) -> None:
        """Compare with the built module, which puts some inputs in order in memory."""
        assert verdict.network is not None
        if verdict.network.kinds & UNMEASURED:
            return
        train(module, graph)
        two, three, four = (kept(module, zeros(verdict.reads, n)) for n in (2, 3, 4))
        if three - two != four - three:
            self.counts["kept bytes: not linear in the batch"] += 1
        elif graph.activations_bytes != three - two:
            self._explain_kept(verdict, graph, three - two)
        else:
            self.counts["kept bytes"] += 1

    def _explain_kept(self, verdict: Verdict, graph: Graph, given: int) -> None:
        assert verdict.network is not None
        network = copy.copy(verdict.network).train()
        network.steps = verdict.network.every_step
        all_saved = kept(network, zeros(verdict.reads, 3), alive=False) - kept(
            network, zeros(verdict.reads, 2), alive=False
        )
        if given == all_saved:
            kind = "kept"
        else:
            kind = "kept-dead" if graph.activations_bytes == all_saved else "kept-both"
        raise Disagreement(
            kind,
            f"{graph.activations_bytes}, torch keeps {given}, and {all_saved} with what no result"
            " needs",
        )

    def _copies(self, verdict: Verdict, module: nn.Module) -> None:
        assert verdict.network is not None
        kinds = verdict.network.kinds
        x = self._input(verdict, 2)
        module.eval()
        with torch.no_grad():
            try:
                y = tuple_of(module(*[t.clone() for t in x]))
            except REFUSALS as error:
                raise Disagreement("run-evaluation", str(error)) from error
            for kind, twin in (
                ("copy", copy.deepcopy),
                ("pickle", lambda m: pickle.loads(pickle.dumps(m))),  # noqa: S301
            ):
                if kind == "pickle" and (_has_self(module) or "parametrize" in kinds):
                    continue
                try:
                    again = tuple_of(twin(module)(*[t.clone() for t in x]))
                except Exception as error:
                    raise Disagreement(kind, repr(error)) from error
                if not all(map(same, y, again)):
                    raise Disagreement(kind, "other values")
                self.counts[kind] += 1

    def _exported(self, verdict: Verdict, module: nn.Module) -> None:
        module.eval()
        batch = torch.export.Dim("batch", min=2, max=64)
        x = self._input(verdict, 3)
        shapes = [{0: batch} for _ in x]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                program = torch.export.export(
                    module, tuple(t.clone() for t in x), dynamic_shapes=tuple(shapes)
                )
        except Exception as error:
            raise Disagreement("export", str(error)[:300]) from error
        x = self._input(verdict, 2)
        with torch.no_grad():
            y = tuple_of(module(*[t.clone() for t in x]))
            again = tuple_of(program.module()(*[t.clone() for t in x]))
        if not all(map(same, y, again)):
            raise Disagreement("export", "other values")
        self.counts["export"] += 1


def _has_self(module: nn.Module) -> bool:
    """Return whether a member is called `self`: torch.fx writes `self = …` when it is unpickled."""
    paths = (name.rpartition(".")[2] for name, _ in module.named_modules())
    return any(name.lower() == "self" for name in paths)
