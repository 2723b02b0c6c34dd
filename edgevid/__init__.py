"""edgevid on the device: frames in, decisions and events out, with numpy and the LiteRT interpreter.

Start at `edgevid.pipeline`. Importing this package imports nothing else; `edgevid --help` lists the commands.
"""

__version__ = "0.1.0"
