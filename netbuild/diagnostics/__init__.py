"""Faults and warnings: their codes, places, texts and fixes, and which of them are reported."""
