"""Networks, and the bytes of a sample that torch keeps of them in training."""

#: Files, and the bytes of a sample that torch keeps, counted by hand. A float has 4 bytes.
KEPT = {
    "a factor only if the other one needs a gradient": (
        """
inputs: {x: [16, 64], mask: [16, 64]}
layers:
  l: {Linear: 64, inputs: x}
  m: {Multiply, inputs: [l, mask]}
  o: {Linear: 10}
""",
        3 * 16 * 64 * 4,
    ),
    "of a first RMSNorm only the normalised input": (
        "input: [16, 64]\nlayers: [RMSNorm, {Linear: 4}]",
        2 * 16 * 64 * 4,
    ),
    "the part, because Linear copies it": (
        """
input: [8, 6, 16]
layers: [Linear: 16, Narrow: {dim: 1, start: 0, length: 2}, Linear: 2]
""",
        (8 * 6 * 16 + 2 * 6 * 16) * 4,
    ),
    "the whole tensor, of which GELU keeps a part": (
        "input: [8]\nlayers: [Linear: 16, Narrow: {dim: 1, start: 0, length: 2}, GELU]",
        (8 + 16) * 4,
    ),
    "nothing of a parameter that Linear reads once a batch": (
        """
input: [10, 8]
layers:
  p: {Parameter: {shape: [10, 64]}}
  l: {Linear: 8}
  a: {Add, inputs: [l, input]}
""",
        0,
    ),
    "a copy of a repeated tensor": (
        "input: [1, 16]\nlayers: [Linear: 16, Expand: {sizes: [32, 16]}, Linear: 2]",
        (16 + 32 * 16) * 4,
    ),
    "a permuted tensor and its copy": (
        """
input: [8, 8, 8]
layers:
  - Conv2d: {out_channels: 16, kernel_size: 3}
  - Sigmoid
  - Permute: {dims: [0, 2, 3, 1]}
  - Linear: 2
""",
        (8 * 8 * 8 + 2 * 16 * 6 * 6) * 4,
    ),
    "both copies of two layers": (
        """
input: [4, 6]
layers:
  x: {Linear: 6}
  t: {Transpose: {dim0: 1, dim1: 2}}
  left: {Linear: 2, inputs: t}
  right: {Linear: 2, inputs: t}
  a: {Add, inputs: [left, right]}
""",
        3 * 4 * 6 * 4,
    ),
    "channels last, which Flatten copies": (
        """
input: [6, 6, 3]
layers:
  - Permute: {dims: [0, 3, 1, 2]}
  - Conv2d: {out_channels: 4, kernel_size: 3}
  - ReLU
  - Flatten
  - Linear: 2
""",
        (6 * 6 * 3 + 2 * 4 * 4 * 4) * 4,
    ),
    "nothing of a layer that no output depends on": (
        """
input: [8]
layers:
  unread: {Linear: 64}
  o: {Linear: 2, inputs: input}
""",
        8 * 4,
    ),
    "nothing of a layer of which only indices are read": (
        """
input: [2, 4, 4]
layers:
  - Conv2d: {out_channels: 3, kernel_size: 1}
  - MaxPool2d: {kernel_size: 2, return_indices: true}
outputs: 1.indices
""",
        0,
    ),
    # Copies of input, its projections, and the scaled query; the softmax of 3×3 numbers.
    "no attended values if only the attention weights are read": (
        "input: [3, 4]\nlayers: [MultiheadAttention: 1]\noutputs: 0.weights",
        (3 * 4 + 3 * (3 * 4) + 3 * 4 + 3 * 3) * 4,
    ),
    # The same, and the values that the last projection reads.
    "attention of a tensor to itself, under three names": (
        """
input: [3, 4]
layers:
  a: Identity
  b: {Flatten: {start_dim: 2}, inputs: a}
  c: {MultiheadAttention: 1, inputs: [input, a, b]}
""",
        (3 * 4 + 3 * (3 * 4) + 3 * 4 + 3 * 3 + 3 * 4) * 4,
    ),
    # Frozen, the gradient of the keys needs the scaled query, and both need the softmax.
    "frozen attention where only the keys need a gradient": (
        """
input: [3, 4]
layers:
  k: {PReLU: {}}
  a: {MultiheadAttention: 1, inputs: [input, k, input], freeze: true}
""",
        (3 * 4 + 3 * 4 + 3 * 3 + 3 * 4) * 4,
    ),
    # The input, the zeros in place of both states, and the four gates without tanh(c).
    "the gates of an LSTMCell of which only c_1 is read": (
        "input: [3]\nlayers: [LSTMCell: 2]\noutputs: 0.c_1",
        (3 + 2 + 4 * 2) * 4,
    ),
    # Three numbers for the bag, a bag for each index, and the indices; 4 bytes each.
    "the bags of indices of int32": (
        """
input: {shape: [2], dtype: int32}
layers: [EmbeddingBag: {num_embeddings: 2, embedding_dim: 2}]
""",
        (3 + 2 + 2) * 4,
    ),
    "two numbers for a maximum over bags of indices of int32": (
        """
input: {shape: [2], dtype: int32}
layers: [EmbeddingBag: {num_embeddings: 2, embedding_dim: 5, mode: max}]
""",
        (2 + 5 + 2 + 2) * 4,
    ),
    "the maximum of parameters without a batch axis only once for all samples": (
        """
input: [1]
layers:
  d: {Parameter: {shape: [], batch_axis: false}}
  p: {Parameter: []}
  m: {Maximum, inputs: [d, d, p]}
  o: {Unsqueeze: 1}
  a: {Add, inputs: [o, input]}
""",
        0,
    ),
    # torch puts the indices in order: a copy of one, three numbers for the bag, and its bag.
    "a copy of the part of the indices of a bag": (
        """
input: {shape: [4], dtype: int64}
layers:
  - Narrow: {dim: 1, start: 0, length: 1}
  - EmbeddingBag: {num_embeddings: 2, embedding_dim: 2}
""",
        (1 + 3 + 1) * 8,
    ),
    # The index, three numbers for the bag, and its bag, because the next factor lies 4 places on.
    # Then the input of Linear and its whole result.
    "the whole tensor, of which the factors of a bag are a part": (
        """
inputs: {i: {shape: [1], dtype: int64}, x: [4]}
layers:
  l: {Linear: 4, inputs: x}
  n: {Narrow: {dim: 1, start: 0, length: 1}}
  e: {EmbeddingBag: {num_embeddings: 2, embedding_dim: 2, mode: sum}, inputs: [i, n]}
""",
        (1 + 3 + 1) * 8 + (4 + 4) * 4,
    ),
    "the maximum of what all samples share only once": (
        """
input: [4]
layers:
  p: {Parameter: [4]}
  l: {Linear: 4, inputs: p}
  m: {Maximum, inputs: [p, p, l]}
  a: {Add, inputs: [m, input]}
""",
        0,
    ),
    "the product of a parameter under two names": (
        """
input: [4]
layers:
  p: {Parameter: [4]}
  i: Identity
  m: {Multiply, inputs: [p, i, p]}
  a: {Add, inputs: [m, input]}
""",
        0,
    ),
    "the maximum of a parameter under two names": (
        """
input: [4]
layers:
  p: {Parameter: [4]}
  i: Identity
  m: {Maximum, inputs: [p, i, p]}
  a: {Add, inputs: [m, input]}
""",
        0,
    ),
    "the maximum of a parameter only once, also if a block repeats it and leaves it unread": (
        """
input: [4]
layers:
  p: {Parameter: [4]}
  b: {inputs: p, layers: {q: {Parameter: [4]}, m: {Multiply, inputs: [q, q]}}}
  m: {Maximum, inputs: [p, p, input]}
  a: {Add, inputs: [m, b]}
""",
        4 * 4,
    ),
    # The parameter of the stack around the block repeats; so the block's own does not have to.
    "the product of a block's own parameter only once for all samples": (
        """
input: [8]
layers:
  p: {Parameter: [8]}
  b:
    inputs: p
    layers:
      own: {Parameter: [8]}
      m: {Multiply, inputs: [own, own, input]}
  a: {Add, inputs: [b, input]}
""",
        0,
    ),
}
