"""What receives the outputs of a run, in a process of its own."""
