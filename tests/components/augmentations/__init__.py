"""Tests of the augmentations of images."""
