"""Publish to an MQTT broker, where Home Assistant finds the device."""
