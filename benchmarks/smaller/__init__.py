"""Benchmarks of models that were made smaller."""
