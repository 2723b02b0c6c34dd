"""Holds the benchmark itself to what it promises."""
