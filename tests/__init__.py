"""The tests; `python -m tests.fuzz` is the long run of one of them."""
