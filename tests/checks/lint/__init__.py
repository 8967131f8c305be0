"""Tests of the lints."""
