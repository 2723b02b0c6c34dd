"""A bundle on trial in a device's slots confirms itself: no option, the folder says so."""

from __future__ import annotations

import argparse

from edgevid.commands.running.group import Opened, Setup


def add(parser: argparse.ArgumentParser) -> None:
    """Declare nothing.

    Args:
        parser: The verb's.
    """


def open(args: argparse.Namespace, setup: Setup) -> Opened:
    """Look for bundles on trial.

    Args:
        args: Parsed options.
        setup: Not used.

    Returns:
        An output for each that confirms it after its trial period.
    """
    from edgevid.provision.slots import Slots
    from edgevid.provision.trial import TrialPeriod

    folders = [Slots(path) for path in args.bundles if path.is_dir()]
    trials = [(slots, state.trial) for slots in folders if (state := slots.state()) and state.trial]
    return Opened(outputs=[TrialPeriod(slots, period_s=trial.period_s) for slots, trial in trials])
