"""What all benchmarks share: result files, and the pages that quote them."""
