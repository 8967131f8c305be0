"""What `netbuild look` shows: the values of each layer for one sample or a batch, without torch."""
