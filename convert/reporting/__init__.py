"""The report of a conversion, with or without a bundle, as JSON and as an HTML page."""
