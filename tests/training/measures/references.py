"""The values of torchmetrics and of scikit-learn, of all samples at once and in doubles.

Where scikit-learn lacks a metric whose digits torchmetrics loses, numpy computes its formula.

They see the loss's label that does not count as their own `ignore_index`, or what counts alone.
"""

import math
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from sklearn import metrics as sklearn
from torch import Tensor

from netbuild.components.losses.loss import Loss
from netbuild.training.measures.kept import in_doubles, plain

#: The arguments of a metric, as a file writes them.
Arguments = dict[str, Any]


def by_torchmetrics(
    name: str, package: str, arguments: Arguments, loss: Loss, y: Tensor, target: Tensor
) -> Any:
    """Return torchmetrics' value."""
    kind = getattr(import_module(f"torchmetrics.{package}"), name)
    more, compared = _compared(name, package, loss, y.double(), target)
    if more.get("num_classes") == 1 and not arguments.get("include_background", True):
        more = {"num_classes": 2}  # torchmetrics counts a single region without background as none
    with warnings.catch_warnings(), in_doubles():
        warnings.simplefilter("ignore")
        return plain(kind(**(arguments | more))(*compared))


def _compared(
    name: str, package: str, loss: Loss, y: Tensor, target: Tensor
) -> tuple[Arguments, tuple[Any, ...]]:
    if loss.classifies:
        return _of_classes(name, package, loss, y, target)
    if loss.binary:
        return _of_answers(name, package, loss, y, target)
    target, y = target.double(), y.exp() if loss.takes == "logarithms" else y
    if name in {"KLDivergence", "JensenShannonDivergence", "CosineSimilarity"}:
        return {}, (target, y) if name == "KLDivergence" else (y, target)
    columns = y.shape[1] if y.ndim > 1 else 1
    y, target = (x.movedim(1, -1).reshape(-1, columns) if x.ndim > 1 else x for x in (y, target))
    if name in {"MeanAbsoluteError", "MeanSquaredError", "NormalizedRootMeanSquaredError"}:
        return {}, (y.contiguous(), target.contiguous())
    if columns == 1:
        y, target = y.flatten(), target.flatten()
    of_columns = name.endswith("CorrCoef") or name == "RelativeSquaredError"
    return {"num_outputs": columns} if of_columns else {}, (y, target)


def _of_classes(
    name: str, package: str, loss: Loss, y: Tensor, target: Tensor
) -> tuple[Arguments, tuple[Any, ...]]:
    ignored = getattr(loss, "ignore_index", -100)
    if package == "segmentation":
        counts = (target != ignored)[:, None]
        number = torch.arange(y.shape[1]).reshape(1, -1, *[1] * (target.ndim - 1))
        told, true = y.argmax(1)[:, None] == number, target[:, None] == number
        return {"num_classes": y.shape[1]}, tuple((x & counts).long() for x in (told, true))
    if name == "Perplexity":
        y = y.movedim(1, -1).reshape(1, -1, y.shape[1])
        return {"ignore_index": ignored}, (y, target.reshape(1, -1))
    more = {"task": "multiclass", "num_classes": y.shape[1], "ignore_index": ignored}
    return more, (y.softmax(1), target)


def _of_answers(
    name: str, package: str, loss: Loss, y: Tensor, target: Tensor
) -> tuple[Arguments, tuple[Any, ...]]:
    likely = y if loss.takes == "probabilities" else y.sigmoid()
    true = (target > (0 if loss.signed else 0.5)).long()
    likely, true = (x if x.ndim > 1 else x[:, None] for x in (likely, true))
    labels = likely.shape[1]
    if package == "segmentation":
        return {"num_classes": labels}, ((likely > 0.5).long(), true)
    if package == "retrieval":
        queries = torch.arange(len(y))[:, None].expand_as(likely)
        return {}, (likely.flatten(), true.flatten(), queries.flatten())
    if name.startswith("Multilabel"):
        return {"num_labels": labels}, (likely, true)
    if labels == 1:
        return {"task": "binary"}, (likely.flatten(), true.flatten())
    return {"task": "multilabel", "num_labels": labels}, (likely, true)


def by_sklearn(name: str, arguments: Arguments, loss: Loss, y: Tensor, target: Tensor) -> Any:
    """Return scikit-learn's value; None where it has none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if loss.classifies:
            return _sklearn_of_classes(name, arguments, loss, y.double(), target)
        if loss.binary:
            return _sklearn_of_answers(name, arguments, loss, y.double(), target)
        y = y.double().exp() if loss.takes == "logarithms" else y.double()
        return _sklearn_of_values(name, arguments, y, target.double())


_BY_AVERAGE: dict[str, Callable[..., Any]] = {
    "Precision": sklearn.precision_score,
    "Recall": sklearn.recall_score,
    "F1Score": sklearn.f1_score,
    "FBetaScore": sklearn.fbeta_score,
    "JaccardIndex": sklearn.jaccard_score,
}


def _sklearn_of_classes(  # noqa: C901, PLR0911  one metric after the other
    name: str, arguments: Arguments, loss: Loss, y: Tensor, target: Tensor
) -> Any:
    scores = y.movedim(1, -1).reshape(-1, y.shape[1])
    classes = target.flatten()
    counts = classes != getattr(loss, "ignore_index", -100)
    scores, classes = scores[counts], classes[counts]
    told, true, numbers = scores.argmax(1).numpy(), classes.numpy(), np.arange(y.shape[1])
    k = arguments.get("top_k", 1)
    average = arguments.get("average", "macro" if name == "JaccardIndex" else "micro")
    if name == "Accuracy" and average == "micro":
        if k > 1:
            return sklearn.top_k_accuracy_score(true, scores.numpy(), k=k, labels=numbers)
        return sklearn.accuracy_score(true, told)
    if k > 1:
        return None
    if name in _BY_AVERAGE:
        average = None if average == "none" else average
        more = {"beta": arguments["beta"]} if "beta" in arguments else {}
        labels = {} if average in {"macro", "weighted"} else {"labels": numbers}
        ignored = getattr(loss, "ignore_index", -100)
        if name == "JaccardIndex" and 0 <= ignored < len(numbers) and average in {"macro", "micro"}:
            labels = {"labels": np.delete(numbers, ignored)}  # torchmetrics leaves this class out
        return plain_numpy(
            _BY_AVERAGE[name](true, told, average=average, zero_division=0, **labels, **more)
        )
    if name == "ConfusionMatrix":
        normalize = arguments.get("normalize")
        normalize = None if normalize == "none" else normalize
        return sklearn.confusion_matrix(true, told, labels=numbers, normalize=normalize).tolist()
    if name == "CohenKappa":
        return sklearn.cohen_kappa_score(
            true, told, labels=numbers, weights=arguments.get("weights")
        )
    if name == "MatthewsCorrCoef":
        return sklearn.matthews_corrcoef(true, told)
    if name == "Perplexity":
        return math.exp(sklearn.log_loss(true, scores.softmax(1).numpy(), labels=numbers))
    if name == "AUROC" and len(np.unique(true)) == len(numbers) > 2:
        average = arguments.get("average", "macro")
        return plain_numpy(
            sklearn.roc_auc_score(
                true,
                scores.softmax(1).numpy(),
                multi_class="ovr",
                average=None if average == "none" else average,
                labels=numbers,
            )
        )
    return None


def _sklearn_of_answers(  # noqa: C901, PLR0911, PLR0912  as above
    name: str, arguments: Arguments, loss: Loss, y: Tensor, target: Tensor
) -> Any:
    likely = (y if loss.takes == "probabilities" else y.sigmoid()).numpy()
    true = (target > (0 if loss.signed else 0.5)).long().numpy()
    if y.ndim > 2:
        likely, true = (np.moveaxis(x, 1, -1).reshape(-1, y.shape[1]) for x in (likely, true))
    if y.ndim > 1 and y.shape[1] == 1:
        likely, true = likely[:, 0], true[:, 0]
    single = true.ndim == 1
    told = (likely > arguments.get("threshold", 0.5)).astype(int)
    average = arguments.get("average", "macro" if name == "JaccardIndex" else "micro")
    if name in _BY_AVERAGE:
        average = "binary" if single else None if average == "none" else average
        if name == "JaccardIndex" and average == "weighted" and not true.any():
            return None  # torchmetrics divides by the number of yes
        more = {"beta": arguments["beta"]} if "beta" in arguments else {}
        return plain_numpy(_BY_AVERAGE[name](true, told, average=average, zero_division=0, **more))
    if name in {"Accuracy", "HammingDistance"} and average == "micro":
        wrong = sklearn.hamming_loss(true, told)
        return wrong if name == "HammingDistance" else float((true == told).mean())
    if name == "ExactMatch":
        return sklearn.accuracy_score(true, told)
    if single and name == "CohenKappa":
        return sklearn.cohen_kappa_score(true, told)
    if single and name == "MatthewsCorrCoef" and 0 < true.sum() < len(true) and len(set(told)) > 1:
        return sklearn.matthews_corrcoef(true, told)
    both = all(len(np.unique(column)) == 2 for column in true.reshape(len(true), -1).T)
    average = None if arguments.get("average") == "none" else arguments.get("average", "macro")
    if both and name in {"AUROC", "AveragePrecision"}:
        by = sklearn.roc_auc_score if name == "AUROC" else sklearn.average_precision_score
        return plain_numpy(by(true, likely, average=average))
    if single:
        return None
    if name == "MultilabelCoverageError":
        return sklearn.coverage_error(true, likely)
    if name == "MultilabelRankingAveragePrecision":
        return sklearn.label_ranking_average_precision_score(true, likely)
    if name == "MultilabelRankingLoss":
        return sklearn.label_ranking_loss(true, likely)
    if name == "RetrievalNormalizedDCG":
        return sklearn.ndcg_score(true, likely, k=arguments.get("top_k"))
    return None


def _sklearn_of_values(  # noqa: PLR0911  as above
    name: str, arguments: Arguments, y: Tensor, target: Tensor
) -> Any:
    told, true = (
        (x.movedim(1, -1).reshape(-1, x.shape[1]) if x.ndim > 1 else x[:, None]).numpy()
        for x in (y, target)
    )
    outputs = arguments.get("multioutput", "uniform_average")
    flat, flat_true = told.ravel(), true.ravel()
    if name == "MeanAbsoluteError":
        return sklearn.mean_absolute_error(flat_true, flat)
    if name == "MeanSquaredError":
        squared = arguments.get("squared", True)
        by = sklearn.mean_squared_error if squared else sklearn.root_mean_squared_error
        return by(flat_true, flat)
    if name == "MeanSquaredLogError" and min(flat.min(), flat_true.min()) > -1:
        return sklearn.mean_squared_log_error(flat_true, flat)
    if name == "LogCoshError":
        return float((np.logaddexp(flat - flat_true, flat_true - flat) - np.log(2)).mean())
    if name == "R2Score":
        found = sklearn.r2_score(true, told, multioutput=outputs, force_finite=True)
        regressors, samples = arguments.get("adjusted", 0), len(true)
        if 0 < regressors < samples - 1:
            found = 1 - (1 - found) * (samples - 1) / (samples - regressors - 1)
        return plain_numpy(found)
    if name == "RelativeSquaredError" and len(true) > 1 and true.var(0).all():
        each = ((told - true) ** 2).sum(0) / ((true - true.mean(0)) ** 2).sum(0)
        return float((each if arguments.get("squared", True) else np.sqrt(each)).mean())
    if name == "ExplainedVariance":
        return plain_numpy(sklearn.explained_variance_score(true, told, multioutput=outputs))
    if name == "TweedieDevianceScore" and (not arguments or min(flat.min(), flat_true.min()) > 0):
        return sklearn.mean_tweedie_deviance(flat_true, flat, power=arguments.get("power", 0))
    return None


def plain_numpy(found: Any) -> Any:
    """Return a result of numpy as a number or a list."""
    return found.tolist() if isinstance(found, np.ndarray) else float(found)


def difference(one: Any, other: Any) -> float:
    """Return the largest relative difference of two values; NaN equals NaN."""
    if isinstance(one, list):
        if not isinstance(other, list) or len(one) != len(other):
            return math.inf
        return max([difference(a, b) for a, b in zip(one, other, strict=True)], default=0.0)
    if isinstance(other, list):
        return difference(one, other[0]) if len(other) == 1 else math.inf
    if one == other or (math.isnan(one) and math.isnan(other)):
        return 0.0
    found = abs(one - other) / max(1.0, abs(other))
    return math.inf if math.isnan(found) else found
