"""Faults and warnings: codes, places, texts and fixes, and the choice of the reported ones."""
