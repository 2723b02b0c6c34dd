"""Discovery messages that make the device appear in Home Assistant by itself.

Source: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery, and the pages of its event,
sensor and binary_sensor platforms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgevid import __version__
from edgevid.events.decide import UNKNOWN
from edgevid.outputs.payload import slugs

# Diagnostic entities of the device. Key in the telemetry: name, unit, device class.
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
    """A model as announced to Home Assistant.

    Attributes:
        name: Display name.
        labels: Every class.
        events: The classes that can be events.
    """

    name: str
    labels: tuple[str, ...]
    events: tuple[str, ...]


def node_id(prefix: str) -> str:
    """Return the device's id: stable across restarts, different for each prefix.

    Args:
        prefix: Prefix of the device's topics.

    Returns:
        ASCII letters, digits, _ and -.
    """
    return slugs((prefix,))[prefix]


def messages(
    prefix: str, discovery: str, models: Sequence[PublishedModel], *, facts: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """Return all discovery messages, to be published retained.

    Args:
        prefix: Prefix of the device's topics.
        discovery: Home Assistant's discovery prefix.
        models: The models that run.
        facts: Keys of the telemetry that this device publishes.

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
        slug = names[model.name]
        entities |= _model_entities(f"{prefix}/{slug}", slug, model)
    entities |= {("sensor", key): _diagnostic(prefix, key) for key in _DIAGNOSTICS if key in facts}
    return {
        f"{discovery}/{component}/{node}/{name}/config": {
            **entity,
            "unique_id": f"{node}_{name}",
            # The second replaces the first from 2025.10 on; from 2026.4 on the first is ignored.
            "object_id": f"{node}_{name}",
            "default_entity_id": f"{component}.{node}_{name}".lower().replace("-", "_"),
            **shared,
        }
        for (component, name), entity in entities.items()
    }


def _model_entities(topic: str, slug: str, model: PublishedModel) -> dict[tuple[str, str], dict[str, Any]]:
    """Return (component, name) to entity for one model."""
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
            # Home Assistant rejects a state that is not listed.
            "options": list(dict.fromkeys((*model.labels, UNKNOWN))),
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
