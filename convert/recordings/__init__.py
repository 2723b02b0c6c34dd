"""Long recordings, and the truth of what happens in them and when."""

from convert.recordings.importers.options import ImportOptions
from convert.recordings.truth import (
    Recording,
    TrueEvent,
    Truth,
    check_durations,
    check_labels,
    import_truth,
    read_truth,
    write_truth,
)

__all__ = [
    "ImportOptions",
    "Recording",
    "TrueEvent",
    "Truth",
    "check_durations",
    "check_labels",
    "import_truth",
    "read_truth",
    "write_truth",
]
