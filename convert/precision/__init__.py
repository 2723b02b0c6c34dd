"""Search for the cheapest precision within the budget."""
