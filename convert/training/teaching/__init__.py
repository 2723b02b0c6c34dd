"""Learning from the answers of a larger trained model, the teacher, besides labels or without them."""
