"""Long recordings, and the truth of what happens in them and when."""

from convert.recordings.truth import (
    Recording,
    TrueEvent,
    check_durations,
    check_labels,
    read_truth,
    write_truth,
)

__all__ = ["Recording", "TrueEvent", "check_durations", "check_labels", "read_truth", "write_truth"]
