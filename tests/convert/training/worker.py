"""`edgevid train` without dropout, whose masks differ between workers, as a worker of a test."""

from __future__ import annotations

import sys


def without_dropout() -> None:
    from convert.training.models import ModelOptions

    ModelOptions.__init__.__kwdefaults__["dropout"] = 0.0


if __name__ == "__main__":
    import edgevid.cli
    from convert.training.fitting.workers import connect_workers

    # Keras comes with the module of the network: the workers have to be connected before.
    connect_workers()
    without_dropout()
    sys.exit(edgevid.cli.main(sys.argv[1:]))
