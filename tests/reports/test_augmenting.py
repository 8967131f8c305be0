"""What `explain` says of augmentations: what moves with the image, and what stands outside."""

from __future__ import annotations

import json

import pytest

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.reports import explanation
from netbuild.reports.explanation import formats
from netbuild.syntax.parser import from_bytes

NET = """\
input: [3, 8, 8]
layers: [{layers}]
loss: {loss}
optimizer: Adam
data:
  Random: {{samples: 20}}
  augment: [{{PadTo: [9, 9]}}, {{RandomCrop: [8, 8]}}, {{RandomInvert: {{p: 0.1}}}}, RandomCutMixV2]
"""


@pytest.mark.parametrize(
    ("layers", "loss", "does"),
    [
        (
            "{Conv2d: {out_channels: 3, kernel_size: 1}}",
            "CrossEntropyLoss",
            ("moves the image and its mask", "mixes samples", -100),
        ),
        (
            "Flatten, {Linear: 3}",
            "CrossEntropyLoss",
            ("moves the image", "mixes samples, and their classes to shares of classes", None),
        ),
        (
            "{Conv2d: {out_channels: 3, kernel_size: 1}}",
            "MSELoss",
            ("moves the image and its picture", "mixes samples", None),
        ),
    ],
)
def test_augmentations_are_explained(
    layers: str, loss: str, does: tuple[str, str, int | None]
) -> None:
    """Each augmentation says what it moves, mixes or changes, and what the padding has."""
    graph = infer(read(from_bytes("a.yaml", NET.format(layers=layers, loss=loss).encode())))
    assert not graph.diagnostics
    told = explanation.explain(graph)
    moves, mixes, ignored = does
    outside = "the image has 0 outside"
    outside += "" if ignored is None else f", and the mask {ignored}, which the loss ignores"
    assert json.loads(formats.as_json(told))["augment"] == [
        {"type": "PadTo", "does": moves, "outside": outside, "views": None},
        {"type": "RandomCrop", "does": moves, "outside": "", "views": None},
        {
            "type": "RandomInvert",
            "does": "changes values of the image",
            "outside": "",
            "views": None,
        },
        {"type": "RandomCutMixV2", "does": mixes, "outside": "", "views": None},
    ]
    assert "augment   the images that train\n" in formats.text(told, 80).plain
