"""The verbs of the command line that run on the workstation. Each module has `configure(parser)` and `run(args) -> exit code`."""
