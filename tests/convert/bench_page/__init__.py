"""Tests of the page of benchmarks."""
