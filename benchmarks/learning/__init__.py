"""What training and pruning reach on real clips."""
