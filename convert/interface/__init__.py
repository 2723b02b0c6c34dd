"""Any model as one window in and one list of scores out, and the contract that the bundle states."""
