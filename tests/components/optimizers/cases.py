"""Networks that optimizers train, and how torch refuses to."""

from typing import Any

REFUSALS = (RuntimeError, ValueError, TypeError, IndexError, ArithmeticError)

#: An Embedding whose gradient is sparse, and what reads it.
WORDS: dict[str, Any] = {
    "input": {"shape": [3], "dtype": "int64"},
    "layers": [{"Embedding": {"num_embeddings": 5, "embedding_dim": 3, "sparse": True}}, "Flatten"],
    "data": {"Random": {"samples": 60, "below": 5}},
    "loss": "MSELoss",
}


def layers(*, bias: bool = True) -> list[Any]:
    """Return a network whose every weight has a gradient, with something random in it."""
    first, last = ({"Linear": {"out_features": n, "bias": bias}} for n in (8, 3))
    return [first, "Tanh", {"Dropout": 0.3}, last]
