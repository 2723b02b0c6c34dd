"""Results of the benchmark as one page: any number of boards side by side."""
