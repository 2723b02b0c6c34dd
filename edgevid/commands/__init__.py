"""The commands that run on the device. Each module has `configure(parser)` and `run(args) -> exit code`."""
