"""Tests of the modules that are built, in torch."""
