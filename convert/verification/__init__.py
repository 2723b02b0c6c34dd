"""Hold each stage of a conversion against the trained model, on real clips."""
