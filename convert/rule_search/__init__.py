"""Chooses the rule from scores to events on recordings, and states what it is worth on others."""

from convert.rule_search.calibration import Calibration, CalibrationOptions, calibrate

__all__ = ["Calibration", "CalibrationOptions", "calibrate"]
