"""The commands that tune a machine for a benchmark, and set it as it was."""
