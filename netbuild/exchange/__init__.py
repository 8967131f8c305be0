"""What leaves netbuild: a network as a file of another format, compared before it is kept."""
