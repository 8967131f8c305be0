"""The page of one run or of several: curves, metrics, mistakes, the network, settings, commands."""
