"""Tests of the checks of a network, lints among them."""
