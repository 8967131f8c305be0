"""Every metric of the catalogue with its arguments, and data on which it is hard to measure."""

from typing import Any

import torch
from torch import nn

from tests.training.step.hard import Hard, classifying, drawn, ignoring, labels

_AVERAGES = ("micro", "macro", "weighted", "none")
_AVERAGED = (
    *("Accuracy", "Precision", "Recall", "F1Score", "Specificity"),
    *("NegativePredictiveValue", "HammingDistance", "StatScores"),
)

#: The arguments with which each metric of classes is compared; without an entry, none.
ARGUMENTS: dict[str, list[dict[str, Any]]] = {
    **{name: [{"average": average} for average in _AVERAGES] for name in _AVERAGED},
    "FBetaScore": [{"beta": 2.0, "average": average} for average in _AVERAGES],
    "JaccardIndex": [{"average": average} for average in _AVERAGES],
    "ConfusionMatrix": [{}, *({"normalize": how} for how in ("true", "pred", "all"))],
    "CohenKappa": [{}, {"weights": "linear"}, {"weights": "quadratic"}],
    "HingeLoss": [{}, {"squared": True}],
    "AUROC": [{"average": average} for average in ("macro", "weighted", "none")],
    "AveragePrecision": [{"average": average} for average in ("macro", "weighted", "none")],
    "PrecisionAtFixedRecall": [{"min_recall": 0.5}],
    "RecallAtFixedPrecision": [{"min_precision": 0.3}],
    "SensitivityAtSpecificity": [{"min_specificity": 0.5}],
    "SpecificityAtSensitivity": [{"min_sensitivity": 0.5}],
    "CalibrationError": [{"norm": norm} for norm in ("l1", "l2", "max")],
    "ROC": [{}, {"thresholds": 11}],
    "MeanSquaredError": [{}, {"squared": False}],
    "MinkowskiDistance": [{"p": 3.0}],
    "TweedieDevianceScore": [{}, {"power": 1.0}, {"power": 1.5}, {"power": 2.0}, {"power": 3.0}],
    "CriticalSuccessIndex": [{"threshold": 0.5}],
    "R2Score": [{}, {"adjusted": 2}, {"multioutput": "variance_weighted"}],
    "ExplainedVariance": [{}, {"multioutput": "variance_weighted"}],
    "RelativeSquaredError": [{}, {"squared": False}],
    "NormalizedRootMeanSquaredError": [
        {"normalization": how} for how in ("mean", "range", "std", "l2")
    ],
    "KendallRankCorrCoef": [{"variant": variant} for variant in "abc"],
    "KLDivergence": [{}, {"reduction": "sum"}],
    "CosineSimilarity": [{}, {"reduction": "mean"}],
    "DiceScore": [
        {"average": average, "aggregation_level": level}
        for average in _AVERAGES
        for level in ("samplewise", "global")
    ],
    "MeanIoU": [{}, {"per_class": True}, {"include_background": False}],
    "GeneralizedDiceScore": [{}, {"weight_type": "simple"}, {"weight_type": "linear"}],
    "HausdorffDistance": [{"include_background": True}, {"directed": True}],
    **{
        f"Retrieval{name}": [{}, {"top_k": 2}]
        for name in ("AUROC", "FallOut", "HitRate", "MAP", "MRR", "NormalizedDCG", "Recall")
    },
    "RetrievalPrecision": [{}, {"top_k": 2, "adaptive_k": True}],
    "RetrievalPrecisionRecallCurve": [{"max_k": 3}],
    "RetrievalRecallAtFixedPrecision": [{"min_precision": 0.4}],
}
#: The arguments for one of several classes alone.
TOP = {
    name: [{"average": average, "top_k": 2} for average in _AVERAGES]
    for name in ("Accuracy", "Precision", "Recall", "F1Score", "HammingDistance", "StatScores")
}

_PLACES = {
    "input": [2, 4, 5],
    "layers": [{"Conv2d": {"out_channels": 4, "kernel_size": 1}}],
    "loss": {"CrossEntropyLoss": {"ignore_index": 255}},
}
CLASSES: dict[str, Hard] = {
    "plain": Hard(drawn(101, 7), labels(7, 101), classifying(7)),
    "two classes": Hard(drawn(60, 2), labels(2, 60), classifying(2)),
    "absent classes": Hard(
        drawn(53, 9).index_fill(1, torch.tensor([0, 8]), -9), labels(6, 53), classifying(9)
    ),
    "all right": Hard(
        nn.functional.one_hot(labels(4, 30, start=2), 7).float(),
        labels(4, 30, start=2),
        classifying(7),
    ),
    "an ignored class": Hard(drawn(64, 7), labels(7, 64), classifying(7, ignore_index=0)),
    "another number is ignored": Hard(
        drawn(60, 6), ignoring(labels(6, 60), 255, 0.5), classifying(6, ignore_index=255)
    ),
    "one sample": Hard(drawn(1, 6), labels(6, 1), classifying(6)),
    "one class": Hard(
        drawn(40, 6).index_fill(1, torch.tensor(4), 9), torch.full((40,), 4), classifying(6)
    ),
    "one class, another predicted": Hard(
        drawn(40, 6).index_fill(1, torch.tensor(3), 9), torch.full((40,), 4), classifying(6)
    ),
    "large scores": Hard(drawn(60, 8).double() + 1e6, labels(8, 60), classifying(8)),
}
IMAGES: dict[str, Hard] = {
    "images": Hard(drawn(9, 4, 4, 5), labels(4, 9, 4, 5), _PLACES),
    "images with ignored places": Hard(
        drawn(9, 4, 4, 5), ignoring(labels(4, 9, 4, 5), 255, 0.3), _PLACES
    ),
    "images without some classes": Hard(drawn(9, 4, 4, 5), labels(2, 9, 4, 5, start=1), _PLACES),
    "one image": Hard(drawn(1, 4, 4, 5), labels(4, 1, 4, 5), _PLACES),
}

_YES = (drawn(50, 3, seed=4) > 0).float()


def _answers(count: int, loss: str = "BCEWithLogitsLoss") -> dict[str, Any]:
    squash = ["Sigmoid"] if loss == "BCELoss" else []
    return {"layers": [{"Linear": count}, *squash], "loss": loss}


_MASK = {
    "input": [2, 4, 5],
    "layers": [{"Conv2d": {"out_channels": 1, "kernel_size": 1}}],
    "loss": "BCEWithLogitsLoss",
}
ANSWERS: dict[str, Hard] = {
    "one yes or no": Hard(drawn(50, 1), _YES[:, :1], _answers(1)),
    "mostly no": Hard(drawn(50, 1), (drawn(50, 1, seed=4) > 1.8).float(), _answers(1)),
    "one probability": Hard(drawn(50, 1).sigmoid(), _YES[:, :1], _answers(1, "BCELoss")),
    "signs": Hard(drawn(50, 1), 2 * _YES[:, :1] - 1, _answers(1, "SoftMarginLoss")),
    "labels": Hard(drawn(50, 3), _YES, _answers(3)),
    "probabilities of labels": Hard(drawn(50, 3).sigmoid(), _YES, _answers(3, "BCELoss")),
    "no label": Hard(drawn(50, 3), torch.zeros(50, 3), _answers(3)),
    "a label that is never true": Hard(
        drawn(50, 3), _YES.index_fill(1, torch.tensor(1), 0), _answers(3)
    ),
    "one sample of labels": Hard(drawn(1, 3), _YES[:1], _answers(3)),
    "half precision": Hard(drawn(50, 3).half(), _YES, _answers(3)),
}
MASKS: dict[str, Hard] = {
    "masks": Hard(drawn(7, 1, 4, 5), (drawn(7, 1, 4, 5, seed=4) > 0).float(), _MASK),
    "empty masks": Hard(drawn(7, 1, 4, 5), torch.zeros(7, 1, 4, 5), _MASK),
}


def _values(count: int, loss: Any = "MSELoss") -> dict[str, Any]:
    return {"layers": [{"Linear": count}], "loss": loss}


_LARGE = 101325 + 5 * drawn(120, 1)
_APART = drawn(120, 3) * torch.tensor([1e-3, 1.0, 1e3]) + torch.tensor([0.0, -1e5, 1e6])
VALUES: dict[str, Hard] = {
    "plain": Hard(drawn(101, 1), drawn(101, 1, seed=4), _values(1)),
    "above 0": Hard(drawn(101, 1).abs() + 0.1, drawn(101, 1, seed=4).abs() + 0.1, _values(1)),
    "three columns": Hard(drawn(90, 3), drawn(90, 3, seed=4), _values(3)),
    "a large mean": Hard(_LARGE + drawn(120, 1, seed=7), _LARGE, _values(1)),
    "a large mean and a constant error": Hard(
        _LARGE.double() + 1e6 + drawn(120, 1, seed=7), _LARGE.double(), _values(1)
    ),
    "columns apart": Hard(_APART + drawn(120, 3, seed=5), _APART, _values(3)),
    "large errors": Hard(drawn(60, 1) * 1e4, drawn(60, 1, seed=4), _values(1)),
    "equal targets": Hard(drawn(20, 1), torch.full((20, 1), 0.5), _values(1)),
    "two samples": Hard(drawn(2, 1), drawn(2, 1, seed=4), _values(1)),
    "one sample": Hard(drawn(1, 1), drawn(1, 1, seed=4), _values(1)),
    "half precision": Hard(drawn(300, 1).half(), drawn(300, 1, seed=4), _values(1)),
}
_LIKELY = drawn(40, 5).softmax(1)
VECTORS: dict[str, Hard] = {
    "probabilities": Hard(
        _LIKELY,
        drawn(40, 5, seed=4).softmax(1),
        {"layers": [{"Linear": 5}, "Softmax"], "loss": "MSELoss"},
    ),
    "logarithms": Hard(
        _LIKELY.log(),
        drawn(40, 5, seed=4).softmax(1),
        {
            "layers": [{"Linear": 5}, "LogSoftmax"],
            "loss": {"KLDivLoss": {"reduction": "batchmean"}},
        },
    ),
}
