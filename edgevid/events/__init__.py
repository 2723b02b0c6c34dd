"""From probabilities to events: the rule, the decider, and the timeline that scores them against a truth."""
