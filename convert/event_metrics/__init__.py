"""How well events in long recordings fit the truth: found, missed, false, late, and how well placed.

`docs/reference/event-metrics.md` defines each number and names its source.
"""

from convert.event_metrics.measure import EventMetrics, MeasureOptions, measure
from convert.event_metrics.trace import Answered, ScoreTrace, Segment, replay

__all__ = ["Answered", "EventMetrics", "MeasureOptions", "ScoreTrace", "Segment", "measure", "replay"]
