"""The accounts, countries and time zones of each release of Raspberry Pi OS, from `firmware_configs/releases`.

`scripts/release_tables.py` writes the tables from Debian's packages.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from edgevid.boards_and_cameras import Release, folder
from edgevid.errors import DeploymentError
from edgevid.schema import from_toml, read_toml

# Codes that people write and ISO 3166-1 does not assign, and the assigned ones.
# Source: ISO 3166-1, exceptional reservations; EL is the European Union's code for Greece.
_OTHER_CODES: Mapping[str, str] = {"UK": "GB", "EL": "GR"}


@dataclass(frozen=True, kw_only=True)
class ReleaseTable:
    """What a release contains before its first boot.

    Attributes:
        users: Accounts; useradd cannot create another of the name, and most have no shell.
        groups: Groups; useradd cannot create an account of the name with its own group.
        countries: Assigned ISO 3166-1 alpha-2 codes.
        zones: Time zones of its tzdata.
        sources: Packages and versions, by field.
    """

    users: tuple[str, ...]
    groups: tuple[str, ...]
    countries: tuple[str, ...]
    zones: tuple[str, ...]
    sources: Mapping[str, str]


@cache
def release_tables() -> Mapping[str, ReleaseTable]:
    """Read all tables, by the codename of the release."""
    paths = sorted((folder() / "releases").glob("*.toml"))
    return {path.stem: from_toml(ReleaseTable, read_toml(path), f"releases/{path.name}") for path in paths}


def check_user(name: str) -> None:
    """Reject an account that a release already has, as a user or as a group.

    Raises:
        DeploymentError: The first boot could not create the account, or nobody could log in with it.
    """
    for release, table in release_tables().items():
        for kind, taken in (("an account", table.users), ("a group", table.groups)):
            DeploymentError.unless(
                name not in taken,
                expected="a user's name in small letters, none of the system's",
                got=name,
                found=f"{name!r}, {kind} of {release}",
                hint="Choose another name, such as pi.",
            )


def check_country(code: str) -> None:
    """Reject a country that is not assigned in ISO 3166-1.

    Raises:
        DeploymentError: The kernel would not set the regulatory domain, and the radio would stay off.
    """
    known = {country for table in release_tables().values() for country in table.countries}
    # Words such as "Germany" have no near code: the hint is for codes only.
    near = _OTHER_CODES.get(code.upper(), code.upper() if code.upper() in known else "")
    DeploymentError.unless(
        code in known,
        expected="[wifi] country as two capital letters of ISO 3166-1, such as CH, GB or US",
        got=code,
        hint=f"Did you mean {near!r}?" if near else "",
    )


def check_timezone(name: str, *, of: Iterable[Release], is_each: bool) -> None:
    """Reject a time zone that a release lacks.

    Args:
        name: Name in the IANA database.
        of: The releases that the device may have.
        is_each: Whether each of them must have it, or one.

    Raises:
        DeploymentError: The device would run in UTC.
    """
    tables = {release: frozenset(release_tables()[release].zones) for release in of}
    lacking = [release for release, zones in tables.items() if name not in zones]
    if not lacking or (not is_each and len(lacking) < len(tables)):
        return
    known = frozenset.intersection(*tables.values()) if is_each else frozenset.union(*tables.values())
    # The database has about 500 names, so the message lists only similar ones.
    similar = difflib.get_close_matches(name, known, n=3) or ["Europe/Zurich", "America/New_York", "UTC"]
    raise DeploymentError(
        expected=f"a time zone of the IANA database, as {', '.join(similar)}",
        got=name,
        found=f"{name!r}, which {' and '.join(lacking)} {'lack' if len(lacking) > 1 else 'lacks'}",
    )
