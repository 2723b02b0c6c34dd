"""Predictions of how long a frame takes on boards that nobody here has."""
