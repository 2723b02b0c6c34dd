"""Benchmarks on models of other people, which are not in this repository."""
