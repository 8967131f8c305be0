"""The examples of all catalogue pages, each traced in a network to which it belongs."""

from __future__ import annotations

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.reports.catalogue import entries as catalogue
from netbuild.syntax.parser import from_bytes
from tests.tables import over

LINEAR = "input: [8]\nlayers: [Linear: 2]\n"
AUGMENTED = (
    "input: [3, 32, 32]\nlayers: [Flatten, Linear: 2]\nloss: CrossEntropyLoss\n"
    "data:\n  Random: {samples: 9}\n  augment:\n  "
)
#: The network of a kind, and those of examples that fit another one.
NETWORKS = {
    "losses": LINEAR,
    "optimizers": LINEAR,
    "schedulers": LINEAR,
    "datasets": "input: [4]\nlayers: [Linear: 3]\nloss: CrossEntropyLoss\n",
    "initializers": "input: [8, 9, 9]\nlayers:\n",
    "augmentations": AUGMENTED,
}
IMAGES = "input: [1, 28, 28]\nlayers: [Flatten, Linear: 10]\nloss: CrossEntropyLoss\n"
OTHERS = {
    **dict.fromkeys(("StepLR", "MultiStepLR"), f"{LINEAR}train: {{epochs: 100}}\n"),
    **dict.fromkeys(("NLLLoss", "KLDivLoss"), "input: [8]\nlayers: [Linear: 2, LogSoftmax]\n"),
    **dict.fromkeys(
        ("CenterCrop", "RandomCrop", "RandomResizedCrop"), AUGMENTED.replace("32, 32", "28, 28")
    ),
    "NLLLoss2d": "input: [3, 9, 9]\nlayers: [LogSoftmax: 1]\n",
    "CTCLoss": "input: [20, 8]\nlayers: [Linear: 5, LogSoftmax: -1]\n",
    "HausdorffERLoss": (
        "input: [3, 9, 9]\nlayers:\n"
        "  logs: {LogSoftmax: 1}\n  probabilities: {Softmax: 1, inputs: input}\n"
        "outputs: [logs, probabilities]\n"
    ),
    "HausdorffERLoss3D": "input: [3, 9, 9, 9]\nlayers: [Softmax: 1]\n",
    "Mean": (
        "input: [8]\nlayers:\n  size: {Linear: 2}\n  kl: {Formula: x ** 2}\noutputs: {kl: kl}\n"
    ),
    "TotalVariation": (
        "input: [1, 9, 9]\nlayers:\n  picture: {Conv2d: {out_channels: 1, kernel_size: 1}}\n"
        "outputs: {picture: picture}\n"
    ),
    "BCELoss": "input: [8]\nlayers: [Linear: 2, Sigmoid]\n",
    "SparseAdam": (
        "input: {shape: [3], dtype: int64}\nlayers:\n"
        "  - Embedding: {num_embeddings: 9, embedding_dim: 4, sparse: true}\n"
        "  - Flatten\n  - Linear: 2\n"
    ),
    "Wine": NETWORKS["datasets"].replace("[4]", "[13]"),
    "BreastCancer": NETWORKS["datasets"].replace("[4]", "[30]").replace("3]", "2]"),
    "Diabetes": "input: [10]\nlayers: [Linear: 1]\nloss: MSELoss\n",
    "Digits": IMAGES.replace("28, 28", "8, 8"),
    **dict.fromkeys(("Idx", "ImageFolder", "Hub"), IMAGES),
    "Text": (
        "input: {shape: [128], dtype: int64}\n"
        "layers:\n  - Embedding: {num_embeddings: 50, embedding_dim: 8}\n"
        "  - GRU: 8\n  - Linear: 50\n  - Transpose: {dim0: 1, dim1: 2}\n"
        "loss: CrossEntropyLoss\n"
    ),
}
EXAMPLES = [(kind, name) for kind in NETWORKS for name in catalogue.catalogue(kind)]


@over(EXAMPLES, " ".join)
def test_an_example_has_no_fault(named: tuple[str, str]) -> None:
    """The example of a page can be copied into a file: no fault, and no warning."""
    kind, name = named
    text = catalogue.example(catalogue.catalogue(kind)[name]).text
    assert name in text
    network = OTHERS.get(name, NETWORKS[kind])
    graph = infer(read(from_bytes("example", f"{network}{text}\n".encode())))
    assert graph.block is not None
    assert [f"{d.code} {d.message}" for d in graph.diagnostics] == []
