"""MQTT, and the discovery that Home Assistant does through it."""
