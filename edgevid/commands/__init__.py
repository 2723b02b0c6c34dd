"""The verbs of the command line that run on the device. Each module has `configure(parser)` and `run(args) -> exit code`."""
