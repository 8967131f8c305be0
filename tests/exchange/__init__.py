"""Tests of what leaves netbuild, and of what enters."""
