"""Tests of the sections of a file."""
