"""Outputs besides standard output: `--page`, `--mqtt`, `--webhook`, `--metrics` and `--clips`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid.commands.options import HelpGroup, Option, positive_int

if TYPE_CHECKING:
    from edgevid.api.outputs import OutputLike

# A copy of `edgevid.api.outputs.CLIPS_MIB`, so that a help text imports less; a test holds them
# equal.
CLIPS_MIB = 1024

_OUTPUTS = HelpGroup(
    title="outputs",
    # Broken by hand: the formatter of the help prints descriptions as they are.
    description="Each output has its own thread: a slow one drops decisions, never an\n"
    "event, and never delays the model.",
)

OPTIONS: tuple[Option, ...] = (
    Option(
        name="--page",
        group=_OUTPUTS,
        metavar="HOST:PORT",
        help="show video, probabilities, events and the device's health in a browser. localhost:8080 serves this "
        "machine only. :8080 serves every address; visitors then need the token that is printed, or that "
        "EDGEVID_PAGE_TOKEN sets",
    ),
    Option(
        name="--mqtt",
        group=_OUTPUTS,
        metavar="URL",
        help="publish to a broker, mqtt[s]://[USER:PASSWORD@]HOST[:PORT][/PREFIX]. Home Assistant discovers the "
        "device. EDGEVID_MQTT_USERNAME and EDGEVID_MQTT_PASSWORD, or EDGEVID_MQTT_PASSWORD_FILE, keep the password "
        "out of the list of processes",
    ),
    Option(
        name="--webhook",
        group=_OUTPUTS,
        metavar="URL",
        help="post the start and the end of each event as JSON. EDGEVID_WEBHOOK_TOKEN sets a bearer token",
    ),
    Option(
        name="--metrics",
        group=_OUTPUTS,
        metavar="HOST:PORT",
        help="serve metrics for Prometheus at http://HOST:PORT/metrics. :9464 serves every address",
    ),
    Option(
        name="--clips",
        group=_OUTPUTS,
        type=Path,
        metavar="DIR",
        help="store a video of each event, from 3 s before it to 3 s after it",
    ),
    Option(
        name="--clips-mib",
        group=_OUTPUTS,
        type=positive_int,
        default=CLIPS_MIB,
        metavar="MIB",
        help=f"space for clips; the oldest are deleted (default: {CLIPS_MIB})",
    ),
)


def outputs(args: argparse.Namespace) -> list[OutputLike]:
    """Return the requested outputs, in no particular order.

    Raises:
        UsageError: The space for clips is too small.
    """
    from edgevid.api.outputs import Clips, Metrics, Mqtt, Page, Webhook

    requested: list[OutputLike] = []
    if args.metrics:
        requested.append(Metrics(args.metrics))
    if args.clips:
        requested.append(Clips(args.clips, mib=args.clips_mib))
    if args.mqtt:
        requested.append(Mqtt(args.mqtt))
    if args.webhook:
        requested.append(Webhook(args.webhook))
    if args.page:
        requested.append(Page(args.page))
    return requested
