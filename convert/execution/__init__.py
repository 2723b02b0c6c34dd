"""Run a layer graph: whole windows, single frames, nested recurrent layers, and probes on noise."""
