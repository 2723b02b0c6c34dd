"""Where decisions and events go besides standard output: `--page`, `--mqtt`, `--webhook`, `--metrics`, `--clips`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid.commands.options import positive

if TYPE_CHECKING:
    from edgevid.api.outputs import OutputLike

_CLIPS_MIB = 1024  # as edgevid.api.outputs.CLIPS_MIB, which is not imported for a help text


def add(parser: argparse.ArgumentParser) -> None:
    """Declare where decisions and events go.

    Args:
        parser: The verb's.
    """
    group = parser.add_argument_group(
        "outputs",
        "Each has a thread of its own: a slow one drops decisions, never an event, and never holds up the model.",
    )
    group.add_argument(
        "--page",
        metavar="HOST:PORT",
        help="show video, probabilities, events and the device's health in a browser, as localhost:8080; ':8080' for every address, which then needs "
        "the token that is printed, or EDGEVID_PAGE_TOKEN",
    )
    group.add_argument(
        "--mqtt",
        metavar="URL",
        help="publish to mqtt[s]://[USER:PASSWORD@]HOST[:PORT][/PREFIX]; Home Assistant finds the device by itself. User and password also from "
        "EDGEVID_MQTT_USERNAME and EDGEVID_MQTT_PASSWORD, or EDGEVID_MQTT_PASSWORD_FILE",
    )
    group.add_argument(
        "--webhook",
        metavar="URL",
        help="post the start and end of each event as JSON; EDGEVID_WEBHOOK_TOKEN is sent as bearer token",
    )
    group.add_argument(
        "--metrics",
        metavar="HOST:PORT",
        help="serve metrics for Prometheus at http://HOST:PORT/metrics; ':9464' for every address",
    )
    group.add_argument(
        "--clips", type=Path, metavar="DIR", help="keep a video of each event, from 3 s before it to 3 s after it"
    )
    group.add_argument(
        "--clips-mib",
        type=positive,
        default=_CLIPS_MIB,
        metavar="MIB",
        help=f"room for clips; the oldest go (default: {_CLIPS_MIB})",
    )


def outputs(args: argparse.Namespace) -> list[OutputLike]:
    """Return what is asked for.

    Args:
        args: Parsed options.

    Returns:
        In no particular order.

    Raises:
        UsageError: There is too little room for clips.
    """
    from edgevid.api.outputs import Clips, Metrics, Mqtt, Page, Webhook

    wanted: list[OutputLike] = []
    if args.metrics:
        wanted.append(Metrics(args.metrics))
    if args.clips:
        wanted.append(Clips(args.clips, mib=args.clips_mib))
    if args.mqtt:
        wanted.append(Mqtt(args.mqtt))
    if args.webhook:
        wanted.append(Webhook(args.webhook))
    if args.page:
        wanted.append(Page(args.page))
    return wanted
