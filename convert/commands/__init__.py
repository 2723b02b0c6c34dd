"""Commands for the workstation, one module each, with `configure(parser)` and `run(args)`."""
