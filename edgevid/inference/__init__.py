"""From a prepared frame to probabilities: rings, the parts of a plan, and the self-test."""
