"""edgevid on the workstation."""
