"""Looks over a machine for all that keeps a classifier from running well on it. Reads, and changes nothing."""

from edgevid.doctor.checklist import examine
from edgevid.doctor.finding import Finding, Status
from edgevid.doctor.machine import Surroundings, User

__all__ = ["Finding", "Status", "Surroundings", "User", "examine"]
