"""Checks of a config as a whole: every fault and every warning, in the order of the file."""
