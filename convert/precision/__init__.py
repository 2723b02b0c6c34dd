"""Search for the cheapest precision that keeps the budget."""
