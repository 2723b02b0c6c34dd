"""Where decisions and events go: what a program, or the command line, asks for as data. `edgevid.api.assembly` opens it.

Each of these has a thread of its own: a slow or absent receiver drops decisions and never holds up the model, and it gets the end of every
event whose start it got. An object with the methods of `edgevid.Output` is called in the loop itself. A plain function is called with each
event, in a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from edgevid.errors import UsageError
from edgevid.events.decide import Event
from edgevid.outputs.output import Output

LEAST_CLIPS_MIB, CLIPS_MIB = 64, 1024


@dataclass(frozen=True)
class Page:
    """The live page for browsers.

    Attributes:
        address: HOST:PORT as "localhost:8080"; ":8080" for every address of this machine, which then needs a token.
        token: Asked of every visitor; `EDGEVID_PAGE_TOKEN` where None, or one that is made up and printed with the page's address.
    """

    address: str
    token: str | None = field(default=None, repr=False, kw_only=True)


@dataclass(frozen=True)
class Mqtt:
    """Topics on an MQTT broker; Home Assistant discovers the device.

    Attributes:
        url: mqtt[s]://[USER:PASSWORD@]HOST[:PORT][/PREFIX], with `?discovery=off` or `?ca=FILE`.
        username: Overrides `EDGEVID_MQTT_USERNAME`; a user in the URL wins.
        password: Overrides `EDGEVID_MQTT_PASSWORD`; a password in the URL wins.
    """

    url: str = field(repr=False)
    username: str | None = field(default=None, kw_only=True)
    password: str | None = field(default=None, repr=False, kw_only=True)


@dataclass(frozen=True)
class Webhook:
    """A POST of JSON for the start and the end of each event.

    Attributes:
        url: http[s]://HOST[:PORT]/PATH.
        token: Sent as a bearer token; `EDGEVID_WEBHOOK_TOKEN` where None.
    """

    url: str = field(repr=False)
    token: str | None = field(default=None, repr=False, kw_only=True)


@dataclass(frozen=True)
class Metrics:
    """Metrics for Prometheus at http://ADDRESS/metrics.

    Attributes:
        address: HOST:PORT as "localhost:9464"; ":9464" for every address of this machine.
    """

    address: str


@dataclass(frozen=True)
class Clips:
    """A video of each event, from 3 s before it to 3 s after it.

    Attributes:
        folder: Where they are kept; created where it is missing.
        mib: Room for them; the oldest are deleted.
    """

    folder: str | Path
    mib: int = field(default=CLIPS_MIB, kw_only=True)

    def __post_init__(self) -> None:
        if self.mib < LEAST_CLIPS_MIB:
            raise UsageError(expected=f"--clips-mib of at least {LEAST_CLIPS_MIB}", got=self.mib, found=f"{self.mib}")


@dataclass(frozen=True)
class Record:
    """Every frame that the source delivered, to be replayed with the source "replay:PATH".

    Attributes:
        path: An `.avi` file that is not there yet; its times go into a `.pts` beside it.
    """

    path: str | Path


@dataclass(frozen=True)
class Lines:
    """A line on standard output per event.

    Attributes:
        json: Print each decision and event as a JSON object instead.
    """

    json: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class OnEvent:
    """A function of yours, called with each event in a thread of its own.

    Attributes:
        function: Called with an `Event`. What it raises is logged, and the run goes on.
        starts: Call it with the start of each event too; such an event has `ended` False.
    """

    function: Callable[[Event], object]
    starts: bool = field(default=False, kw_only=True)


Stated = Page | Mqtt | Webhook | Metrics | Clips | Record | Lines | OnEvent
STATED: tuple[type, ...] = get_args(Stated)
OutputLike = Stated | Output | Callable[[Event], object]
"""What `outputs=` takes."""


def as_on_event(wanted: OutputLike) -> OnEvent | None:
    """Return a plain function as a `OnEvent`.

    Args:
        wanted: Anything that `outputs=` takes.

    Returns:
        None for what is no function.
    """
    if isinstance(wanted, OnEvent):
        return wanted
    if isinstance(wanted, STATED) or hasattr(wanted, "decided") or not callable(wanted):
        return None
    return OnEvent(wanted)
