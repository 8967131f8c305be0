"""Tests of codes, their pages, and what selects or silences them."""
