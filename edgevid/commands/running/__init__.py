"""The options of `edgevid run`, a module for each group of them."""
