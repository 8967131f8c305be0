"""The catalogue of metrics has torchmetrics' names, arguments and defaults."""

import inspect
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest
import torchmetrics
from torchmetrics import classification, regression, retrieval, segmentation

from netbuild.checks.trace import infer
from netbuild.components.metrics import METRICS
from netbuild.config.load import read
from netbuild.reports.catalogue.entries import example
from netbuild.syntax.parser import from_bytes
from netbuild.training.measures.classes import kind_of as kind_of_classes
from netbuild.training.measures.regions import kind_of as kind_of_regions
from netbuild.training.measures.values import kind_of as kind_of_values
from tests.tables import over
from tests.training_configs import text

#: Arguments that no file writes. `validate_args` and the rest of `kwargs` change no value;
#: `multidim_average` and `keep_sequence_dim` give a value for each sample or place; `t_test` adds a
#: second value, which `alternative` describes.
LEFT_OUT = {
    *("self", "cls", "kwargs", "validate_args"),
    *("multidim_average", "keep_sequence_dim", "t_test", "alternative"),
}
#: Metrics of groups of samples, which no loss knows.
WITHOUT = {"BinaryFairness", "BinaryGroupStatRates"}
#: The types of an average that torchmetrics calls null and `none`.
NONE = {None, "none"}


def of_package(module: ModuleType) -> set[str]:
    """Return the metrics of a package that are not the forms of one for a task."""
    names = set(module.__all__)
    ranking = {name for name in names if "Ranking" in name or "Coverage" in name}
    tasks = ("Binary", "Multiclass", "Multilabel")
    return {name for name in names if not name.startswith(tasks)} | ranking


def parameters(name: str) -> dict[str, inspect.Parameter]:
    """Return the parameters of torchmetrics' class, or of its wrapper for all tasks."""
    kind = getattr(getattr(torchmetrics, METRICS[name].package), name)
    function = kind.__new__ if "__new__" in vars(kind) else kind.__init__
    return dict(inspect.signature(function).parameters)


def test_every_metric_of_torchmetrics_is_declared() -> None:
    """All of classification, regression, segmentation and retrieval, and the perplexity."""
    packages = (classification, regression, segmentation, retrieval)
    assert set(METRICS) == {"Perplexity"}.union(*map(of_package, packages)) - WITHOUT


@over(METRICS)
def test_arguments(name: str) -> None:
    """The fields are torchmetrics' arguments, in its order, with its defaults."""
    metric = METRICS[name]
    theirs = {
        n: p for n, p in parameters(name).items() if n not in LEFT_OUT and n not in metric.decided
    }
    assert set(metric.decided) <= set(parameters(name))
    assert set(metric.model_fields) == set(theirs)
    for field, info in metric.model_fields.items():
        default: Any = theirs[field].default
        if field == "num_outputs" and info.default is None:  # the network decides it
            continue
        if default is inspect.Parameter.empty:
            assert info.is_required() or field == "beta", field
        else:
            assert info.default == default, field


@over(METRICS)
def test_which_is_better(name: str) -> None:
    """Where torchmetrics says which value is better, netbuild says the same."""
    package = getattr(torchmetrics, METRICS[name].package)
    forms = [getattr(package, f"{task}{name}", None) for task in ("Multiclass", "Multilabel", "")]
    theirs = {form.higher_is_better for form in forms if form} - {None}
    assert theirs <= {METRICS[name].higher_is_better}


@over(METRICS)
def test_what_adds_up_has_sums(name: str) -> None:
    """A metric that adds up has a kind of sums, and torchmetrics computes any other."""
    metric = METRICS[name].model_construct(
        **{n: 1.5 for n, info in METRICS[name].model_fields.items() if info.is_required()}
    )
    if metric.adds_up:
        compares = metric.compares
        if compares == "values":
            assert kind_of_values(metric).name
        elif compares == "regions":
            assert kind_of_regions(metric).name
        else:
            assert {kind_of_classes(metric, binary=of).name for of in (True, False)}


#: Networks, one for each kind of loss.
NETWORKS: list[dict[str, Any]] = [
    {"layers": [{"Linear": 12}]},
    {"layers": [{"Linear": 12}], "loss": "BCEWithLogitsLoss"},
    {"layers": [{"Linear": 12}], "loss": "MSELoss"},
    {
        "input": [2, 6, 6],
        "layers": [{"Conv2d": {"out_channels": 12, "kernel_size": 1}}],
    },
    {
        "layers": {"draws": {"Linear": 12}, "spend": {"Linear": 1}},
        "outputs": ["draws", "spend"],
        "loss": {"MSELoss": {}, "inputs": "spend", "target": "spend"},
        "data": None,
    },
]


@over(METRICS)
def test_example(name: str) -> None:
    """The example of each page is right in some network."""
    written = example(METRICS[name]).text
    assert written.startswith("metrics: ")
    codes = []
    for sections in NETWORKS:
        file = text(metrics=None, **sections) + written + "\n"
        codes.append({f.code for f in infer(read(from_bytes("a.yaml", file.encode()))).diagnostics})
        if not codes[-1] - {"NB331", "NB302"}:
            return
    pytest.fail(f"{written}: {codes}")


def test_torchmetrics_is_imported_only_when_a_metric_needs_it() -> None:
    """Neither a start nor a training with own sums imports it."""
    code = (
        "import sys, torch\n"
        "import netbuild.training.session\n"
        "from tests.training.measures.comparing import measured\n"
        "from tests.training.measures.cases import CLASSES\n"
        "own = [('Accuracy', {}), ('F1Score', {'average': 'macro'}), ('JaccardIndex', {})]\n"
        "measured(CLASSES['plain'], own, 7, 1)\n"
        "assert 'torchmetrics' not in sys.modules\n"
        "measured(CLASSES['plain'], [('AUROC', {})], 7, 1)\n"
        "assert 'torchmetrics' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
