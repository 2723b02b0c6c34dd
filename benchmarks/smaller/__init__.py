"""Benchmarks of small models: pruned ones, taught ones, and ones that start from unlabelled clips."""
