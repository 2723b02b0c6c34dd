"""Events from probabilities: the decision rule, the decider, and the timeline that compares events with a truth."""
