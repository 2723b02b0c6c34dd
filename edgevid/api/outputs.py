"""The receivers of decisions and events, declared as data. `edgevid.api.open_outputs` opens them.

Each of them has its own thread. A slow or absent receiver drops decisions and never delays the
model, and it gets the end of every event whose start it got.

There are two other kinds of output. A plain function is called with each event, in a thread. An
object with the methods of `edgevid.Output` is called in the loop itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from edgevid.errors import UsageError
from edgevid.events.decide import Event
from edgevid.outputs.output import Output
from edgevid.outputs.timeline.suffixes import check_suffix

LEAST_CLIPS_MIB, CLIPS_MIB = 64, 1024


@dataclass(frozen=True)
class Page:
    """A live page for browsers.

    Attributes:
        address: HOST:PORT, such as "localhost:8080". ":8080" serves every address of this machine;
            a visitor then needs the token.
        token: The token of visitors. None uses `EDGEVID_PAGE_TOKEN`, or else creates one and prints
            it with the page's address.
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

    # Without a repr, as is the password: an URL may contain one, and a repr ends in logs.
    url: str = field(repr=False)
    username: str | None = field(default=None, kw_only=True)
    password: str | None = field(default=None, repr=False, kw_only=True)


@dataclass(frozen=True)
class Webhook:
    """A POST of JSON at the start and at the end of each event.

    Attributes:
        url: http[s]://HOST[:PORT]/PATH.
        token: Sent as a bearer token; None uses `EDGEVID_WEBHOOK_TOKEN`.
    """

    url: str = field(repr=False)
    token: str | None = field(default=None, repr=False, kw_only=True)


@dataclass(frozen=True)
class Metrics:
    """Metrics for Prometheus at http://ADDRESS/metrics.

    Attributes:
        address: HOST:PORT, such as "localhost:9464"; ":9464" serves every address of this machine.
    """

    address: str


@dataclass(frozen=True)
class Clips:
    """A video of each event, from 3 s before it to 3 s after it.

    Attributes:
        folder: The folder of the clips; created if it is missing.
        mib: Space for the clips in MiB, at least 64; the oldest are deleted.

    Raises:
        UsageError: `mib` is below 64.
    """

    folder: str | Path
    mib: int = field(default=CLIPS_MIB, kw_only=True)

    def __post_init__(self) -> None:
        if self.mib < LEAST_CLIPS_MIB:
            raise UsageError(expected=f"--clips-mib of at least {LEAST_CLIPS_MIB}", got=self.mib)


@dataclass(frozen=True)
class Record:
    """A recording of every frame that the source delivers. Replay it with the source "replay:PATH".

    Attributes:
        path: A new `.avi` file. The times of the frames go to a `.pts` file of the same name.
    """

    path: str | Path


@dataclass(frozen=True)
class Timeline:
    """What was seen when in a video, written at the end of the run. Only for sources that are not live.

    Attributes:
        path: The file; an existing one is replaced. Its suffix selects the kind: `.html` is a page
            with pictures that plays the video, `.csv` a table, `.srt` and `.vtt` are subtitles.

    Raises:
        UsageError: The suffix is another one.
    """

    path: str | Path

    def __post_init__(self) -> None:
        check_suffix(Path(self.path))


@dataclass(frozen=True)
class Lines:
    """One line per event on standard output.

    Attributes:
        json: Print each decision and each event as a JSON object instead.
    """

    json: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class OnEvent:
    """A function that is called with each event, in its own thread.

    Attributes:
        function: Called with an `Event`. An exception in it is logged, and the run continues.
        starts: Call it at the start of each event as well. Such an event has `ended` False.
    """

    function: Callable[[Event], object]
    starts: bool = field(default=False, kw_only=True)


OutputSpec = Page | Mqtt | Webhook | Metrics | Clips | Record | Timeline | Lines | OnEvent
OUTPUT_SPECS: tuple[type, ...] = get_args(OutputSpec)
OutputLike = OutputSpec | Output | Callable[[Event], object]
"""The type of an item of `outputs=`."""


def as_on_event(output: OutputLike) -> OnEvent | None:
    """Wrap a plain function as an `OnEvent`.

    Args:
        output: An item of `outputs=`.

    Returns:
        The `OnEvent`, or None if the output is no function.
    """
    if isinstance(output, OnEvent):
        return output
    # An object of the caller's with the methods of an output may be callable as well.
    if isinstance(output, OUTPUT_SPECS) or hasattr(output, "decided") or not callable(output):
        return None
    return OnEvent(output)
