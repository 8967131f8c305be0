"""Tests of the folders of runs, and of files of weights."""
