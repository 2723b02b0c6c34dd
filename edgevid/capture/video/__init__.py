"""Video files: their containers and names, their decoder, and the times of their frames."""
