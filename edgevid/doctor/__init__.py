"""Check a machine for everything that keeps a classifier from running well; change nothing."""

from edgevid.doctor.checklist import examine
from edgevid.doctor.finding import Finding, Status
from edgevid.doctor.machine import Account, Host

__all__ = ["Account", "Finding", "Host", "Status", "examine"]
