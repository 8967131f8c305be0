"""Checks of a whole config: all faults and warnings, in the order of the file."""
