"""Whole files: an independent reading of the language in plain torch, beside netbuild's.

`python -m tests.whole --cases 50000 --seed N` draws files and compares both readings.
"""
