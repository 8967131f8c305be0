"""From a network to the text of a config: nested stacks, blocks, repeats and variables."""
