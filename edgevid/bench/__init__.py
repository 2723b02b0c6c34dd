"""The benchmark: measure a bundle on this machine, and say whether the figures can be trusted."""
