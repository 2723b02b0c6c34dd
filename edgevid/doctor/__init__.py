"""Looks over a machine for all that keeps a classifier from running well on it. Reads, and changes nothing."""

from edgevid.doctor.checklist import examine
from edgevid.doctor.finding import Finding, Status
from edgevid.doctor.machine import Account, Host

__all__ = ["Account", "Finding", "Host", "Status", "examine"]
