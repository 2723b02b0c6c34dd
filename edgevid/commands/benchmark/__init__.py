"""The commands around the benchmark: compare, check and sweep."""
