"""Tests of text that becomes a tree, and of edits to the text."""
