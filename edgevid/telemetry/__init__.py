"""Latency by stage, counts and drops of a run, and the machine it ran on."""
