"""What Home Assistant is told so that the device appears in it by itself: MQTT discovery.

Source: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery, and the pages of its event, sensor and binary_sensor platforms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgevid import __version__
from edgevid.outputs.payload import slugs

# Entities about the device itself: key in the telemetry, name, unit, device class.
_DIAGNOSTICS: Mapping[str, tuple[str, str | None, str | None]] = {
    "temperature_c": ("Temperature", "°C", "temperature"),
    "camera_fps": ("Camera frame rate", "fps", None),
    "model_fps": ("Model frame rate", "fps", None),
    "age_p99_ms": ("Age of answers, p99", "ms", "duration"),
    "dropped": ("Frames dropped", None, None),
    "pace_level": ("Pace level", None, None),
    "rss_mib": ("Memory", "MiB", "data_size"),
}


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """What discovery says of one model.

    Attributes:
        name: For people.
        labels: Every class.
        events: Those that can be events.
    """

    name: str
    labels: tuple[str, ...]
    events: tuple[str, ...]


def node_id(prefix: str) -> str:
    """Name the device: the same after a restart, another for another prefix.

    Args:
        prefix: Of every topic.

    Returns:
        Letters, digits, _ and -.
    """
    return slugs((prefix,))[prefix]


def messages(
    prefix: str, discovery: str, models: Sequence[PublishedModel], *, facts: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """Give everything that is published, retained, for Home Assistant.

    Args:
        prefix: Of the device's own topics.
        discovery: Home Assistant's prefix.
        models: That run.
        facts: Keys of the telemetry that this device can tell.

    Returns:
        Topic to payload.
    """
    node = node_id(prefix)
    shared = {
        "availability_topic": f"{prefix}/status",
        "device": {
            "identifiers": [node],
            "name": prefix.replace("/", " "),
            "manufacturer": "edgevid",
            "model": "video classifier",
            "sw_version": __version__,
        },
        "origin": {"name": "edgevid", "sw_version": __version__},
    }
    names = slugs(tuple(model.name for model in models))
    entities: dict[tuple[str, str], dict[str, Any]] = {}
    for model in models:
        entities |= _of_model(f"{prefix}/{names[model.name]}", names[model.name], model)
    entities |= {("sensor", key): _diagnostic(prefix, key) for key in _DIAGNOSTICS if key in facts}
    return {
        f"{discovery}/{component}/{node}/{name}/config": {
            **entity,
            "unique_id": f"{node}_{name}",
            "object_id": f"{node}_{name}",
            **shared,
        }
        for (component, name), entity in entities.items()
    }


def _of_model(topic: str, slug: str, model: PublishedModel) -> dict[tuple[str, str], dict[str, Any]]:
    state = f"{topic}/state"
    return {
        ("event", f"{slug}_event"): {
            "name": f"{model.name} event",
            "state_topic": f"{topic}/event/start",
            "event_types": list(model.events),
        },
        ("binary_sensor", f"{slug}_active"): {
            "name": f"{model.name} active",
            "state_topic": state,
            "value_template": "{{ 'ON' if value_json.ongoing else 'OFF' }}",
        },
        ("sensor", f"{slug}_label"): {
            "name": f"{model.name} label",
            "state_topic": state,
            "value_template": "{{ value_json.label }}",
            "device_class": "enum",
            "options": list(model.labels),
            "json_attributes_topic": state,
        },
        ("sensor", f"{slug}_score"): {
            "name": f"{model.name} score",
            "state_topic": state,
            "value_template": "{{ (value_json.score * 100) | round(1) }}",
            "unit_of_measurement": "%",
            "state_class": "measurement",
        },
    }


def _diagnostic(prefix: str, key: str) -> dict[str, Any]:
    name, unit, device_class = _DIAGNOSTICS[key]
    entity: dict[str, Any] = {
        "name": name,
        "state_topic": f"{prefix}/telemetry",
        "value_template": f"{{{{ value_json.{key} }}}}",
        "entity_category": "diagnostic",
        "state_class": "total_increasing" if key == "dropped" else "measurement",
    }
    if unit:
        entity["unit_of_measurement"] = unit
    if device_class:
        entity["device_class"] = device_class
    return entity
