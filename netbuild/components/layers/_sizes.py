"""Integer rules for the sizes of axes, and the same rules as text with numbers."""

MINUS, DOT = "−", "·"


def positions(
    n: int, kernel: int, stride: int, padding: int, dilation: int = 1, *, ceil_mode: bool = False
) -> int:
    """Return how many windows fit an axis of n: ⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1.

    `padding` is added on both sides. With `ceil_mode` the last window may end outside, but must not
    begin in the padding after the input. The source is torch's `pooling_output_shape`.

    >>> positions(28, kernel=5, stride=1, padding=2)
    28
    >>> positions(6, kernel=3, stride=2, padding=0, ceil_mode=True)
    3
    """
    room = n + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return room // stride + 1
    count = (room + stride - 1) // stride + 1
    return count - 1 if (count - 1) * stride >= n + padding else count


def positions_formula(
    n: int, kernel: int, stride: int, padding: int, dilation: int = 1, *, ceil_mode: bool = False
) -> str:
    """Return the rule of `positions` with its numbers and its result.

    >>> positions_formula(5, kernel=7, stride=1, padding=0)
    '⌊(5 + 2·0 − 1·(7 − 1) − 1) / 1⌋ + 1 = −1'
    """
    count = positions(n, kernel, stride, padding, dilation, ceil_mode=ceil_mode)
    opening, closing = "⌈⌉" if ceil_mode else "⌊⌋"
    return (
        f"{opening}({n} + 2{DOT}{padding} {MINUS} {dilation}{DOT}({kernel} {MINUS} 1) {MINUS} 1)"
        f" / {stride}{closing} + 1 = {signed(count)}"
    )


def signed(number: int) -> str:
    """Return a number with a typographic minus sign."""
    return str(number).replace("-", MINUS)
