"""How many examples a test draws."""

from hypothesis import settings


def examples(number: int, least: int = 1) -> settings:
    """Return settings of half as many examples with `--full`; else of a fifth, but of `least`.

    The profile that `conftest.py` loads says how many there are in place of 100.
    """
    share = -(-number * settings.default.max_examples // 100)
    return settings(max_examples=max(share, least))
