"""The options of `edgevid run`, from the command line and the configuration file to the API."""
