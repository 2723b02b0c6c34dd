"""Where the time of a bundle's parts goes, operator by operator."""
