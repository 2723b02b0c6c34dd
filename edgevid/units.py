"""Conversion factors between units of time; every layer may import them."""

# Integers: an int of nanoseconds stays exact, and a quotient is a float as ever.
NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
