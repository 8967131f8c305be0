"""Networks with layers that no gradient reaches, and similar networks without such layers."""

from __future__ import annotations

HEAD = "input: [4, 6]\nloss: CrossEntropyLoss\nlayers:\n"
END = "  flat: {Flatten, inputs: last}\n  head: {Linear: 3}\n"
ONE_HOT = "  best: {Argmax: -1}\n  chosen: {OneHot: 5}\n  last: {To: float32}\n"

BESIDE = (
    "input: [6]\nlayers: {a: {Linear: 5}, best: {Argmax: -1}}\n"
    "outputs: {scores: a, best: best}\nloss: {CrossEntropyLoss, inputs: scores}\n"
)

#: The text of each network, with the layers that get no gradient.
UNREACHED: dict[str, tuple[str, ...]] = {
    HEAD + "  a: {Linear: 5}\n" + ONE_HOT + END: ("a",),
    HEAD + "  a: {Linear: 5}\n  b: ReLU\n  c: {Linear: 5}\n" + ONE_HOT + END: ("a", "c"),
    HEAD + "  a: {Linear: 5}\n  last: Detach\n" + END: ("a",),
    HEAD + "  a: {Linear: 5}\n  gate: {Formula: x > 0}\n  last: {To: float32}\n" + END: ("a",),
    HEAD
    + "  a: {Linear: 6}\n"
    + '  last: {Formula: "where(c > 0, x, 0)", inputs: {c: a, x: input}}\n'
    + END: ("a",),
    HEAD
    + "  a: {Linear: 4}\n  n: {Argmax: {dim: -1, keepdim: true}}\n"
    + "  last: {Gather: 2, inputs: [input, n]}\n"
    + END: ("a",),
    HEAD
    + "  a: {Linear: 5}\n  s: {Detach, inputs: a}\n  r: {Reuse: a, inputs: input}\n"
    + "  t: {Detach, inputs: r}\n  last: {Add, inputs: [s, t]}\n"
    + END: ("a",),
}
#: Networks in which each layer that learns gets a gradient, or is left as it is on purpose.
REACHED = [
    HEAD + "  a: {Linear: 5}\n  last: {Softmax: -1}\n" + END,
    # Two ways, of which one goes on.
    HEAD + "  a: {Linear: 5}\n  s: Detach\n  last: {Add, inputs: [a, s]}\n" + END,
    HEAD + "  a: {Linear: 5}\n  last: {Formula: x * (x > 0)}\n" + END,
    HEAD
    + "  a: {Linear: 5}\n  s: Detach\n  r: {Reuse: a, inputs: input}\n"
    + "  last: {Add, inputs: [r, s]}\n"
    + END,
    # Its weight learns at another place.
    HEAD
    + "  a: {Linear: {out_features: 6, bias: false}}\n  s: Detach\n"
    + "  b: {Linear: {out_features: 6, bias: false}, tie: {weight: a.weight}, inputs: input}\n"
    + "  last: {Add, inputs: [b, s]}\n"
    + END,
    HEAD + "  a: {Linear: 5, freeze: true, init: orthogonal_}\n" + ONE_HOT + END,
    # The best of several is an output beside the scores, which the loss reads.
    BESIDE,
    # Without a loss nothing is trained.
    "input: [6]\nlayers: {a: {Linear: 5}, best: {Argmax: -1}}\n",
]
BAD = {"NB335": [*UNREACHED]}
GOOD = {"NB335": REACHED}
