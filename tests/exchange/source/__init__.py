"""Tests of Python source."""
