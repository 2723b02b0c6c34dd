"""Compare each stage of a conversion with the trained model, on real clips."""
