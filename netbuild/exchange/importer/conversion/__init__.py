"""From the recorded calls to the nodes of a network: items, their fields and their inputs."""
