"""What several nodes share: sockets, groups of inputs with what is done with them, places of files, what a node shows."""
