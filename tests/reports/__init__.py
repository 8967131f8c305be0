"""Tests of what netbuild prints."""
