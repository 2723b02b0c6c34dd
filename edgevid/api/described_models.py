"""Descriptions of a model for the outputs: its name, its labels, its plan.

The libraries of the outputs are imported when a model is described to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgevid.lane import Lane

if TYPE_CHECKING:
    from edgevid.outputs.mqtt.homeassistant import PublishedModel
    from edgevid.outputs.web.hub import PageModel


def published_model(lane: Lane) -> PublishedModel:
    """Describe a model to MQTT and Home Assistant."""
    from edgevid.outputs.mqtt.homeassistant import PublishedModel

    decider = lane.decider
    return PublishedModel(
        lane.name, decider.labels, tuple(label for label in decider.labels if label not in decider.rule.background)
    )


def page_model(lane: Lane) -> PageModel:
    """Describe a model to the live page."""
    from edgevid.outputs.web.hub import PageModel

    manifest = lane.engine.bundle.manifest
    window = manifest.window
    # A dict instead of a set keeps the order of the parts.
    precisions = "+".join(dict.fromkeys(part.precision for part in manifest.parts))
    about = f"{manifest.plan}, {precisions}, {window.frames} frames of {window.interval_s:g} s"
    stage = lane.stage
    seen = None if stage is None else lambda: stage.seen
    return PageModel(lane.name, lane.decider.labels, lane.decider.rule, about, seen)
