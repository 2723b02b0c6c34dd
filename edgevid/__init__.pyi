"""Public names for type checkers; `__init__.py` imports each on first use."""

from edgevid import errors as errors
from edgevid.api.model import DEMO as DEMO
from edgevid.api.model import Model as Model
from edgevid.api.model import load as load
from edgevid.api.outputs import Clips as Clips
from edgevid.api.outputs import Lines as Lines
from edgevid.api.outputs import Metrics as Metrics
from edgevid.api.outputs import Mqtt as Mqtt
from edgevid.api.outputs import OnEvent as OnEvent
from edgevid.api.outputs import Page as Page
from edgevid.api.outputs import Record as Record
from edgevid.api.outputs import Timeline as Timeline
from edgevid.api.outputs import Webhook as Webhook
from edgevid.api.session import Session as Session
from edgevid.api.session import run as run
from edgevid.api.stream import Stream as Stream
from edgevid.bundle import Bundle as Bundle
from edgevid.bundle import read as _read
from edgevid.capture import Source as Source
from edgevid.capture import open_source as open_source
from edgevid.errors import EdgevidError as EdgevidError
from edgevid.events.decide import Decision as Decision
from edgevid.events.decide import Event as Event
from edgevid.events.repetitions import Repetition as Repetition
from edgevid.events.repetitions import RepetitionCounter as RepetitionCounter
from edgevid.events.repetitions import count as count
from edgevid.frames import Frame as Frame
from edgevid.frames.keypoint_rows import KeypointRows as KeypointRows
from edgevid.frames.region import Region as Region
from edgevid.outputs.collect import Collector as Collector
from edgevid.outputs.output import Output as Output
from edgevid.outputs.output import QuietOutput as QuietOutput
from edgevid.telemetry.telemetry import Telemetry as Telemetry

read_bundle = _read

__version__: str
__all__: list[str]
