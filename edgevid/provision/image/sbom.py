"""What an image is made of, as SPDX 2.3: every Debian package, every wheel, and the bundle.

Source: https://spdx.github.io/spdx-spec/v2.3/ and, for the addresses of packages, https://github.com/package-url/purl-spec
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.parser import HeaderParser
from typing import Any
from urllib.parse import quote

from edgevid import __version__
from edgevid.provision.image.python_packages import Package
from edgevid.provision.image.tar_tree import Archive

_NONE = "NOASSERTION"
_SPDX_LICENSE = re.compile(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*")


def document(
    name: str,
    *,
    archive: Archive,
    suite: str,
    wheels: Sequence[Package],
    bundle: tuple[str, str],
    epoch_s: int,
    image_sha256: str,
) -> dict[str, Any]:
    """Write the list.

    Args:
        name: Of the image.
        archive: The root file system as Debian left it.
        suite: The release of Debian.
        wheels: What was installed of Python.
        bundle: The bundle's name and SHA-256.
        epoch_s: When, in seconds since 1970.
        image_sha256: Of the image itself, before it is compressed.

    Returns:
        What JSON takes.
    """
    packages = [_image(name, image_sha256), *_debian(archive, suite), *map(_wheel, wheels), _bundle(*bundle)]
    contains = [
        {"spdxElementId": "SPDXRef-Image", "relationshipType": "CONTAINS", "relatedSpdxElement": each["SPDXID"]}
        for each in packages[1:]
    ]
    describes = {
        "spdxElementId": "SPDXRef-DOCUMENT",
        "relationshipType": "DESCRIBES",
        "relatedSpdxElement": "SPDXRef-Image",
    }
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"urn:edgevid:image:{image_sha256}",
        "creationInfo": {"created": _time(epoch_s), "creators": [f"Tool: edgevid-{__version__}"]},
        "packages": packages,
        "relationships": [describes, *contains],
    }


def debian_packages(archive: Archive) -> list[dict[str, str]]:
    """Read which packages of Debian are installed.

    Args:
        archive: The root file system.

    Returns:
        The fields of each, sorted by name.

    Source: dpkg-query(1) and deb-control(5)
    """
    entries = archive.read("var/lib/dpkg/status").decode("utf-8", errors="replace").strip().split("\n\n")
    found = [dict(HeaderParser().parsestr(entry).items()) for entry in entries]
    return sorted(
        (each for each in found if each.get("Status", "").endswith(" installed")), key=lambda each: each["Package"]
    )


def _debian(archive: Archive, suite: str) -> list[dict[str, Any]]:
    made = []
    for fields in debian_packages(archive):
        name, version, architecture = fields["Package"], fields["Version"], fields["Architecture"]
        address = f"pkg:deb/debian/{name}@{quote(version, safe='.')}?arch={architecture}&distro=debian-{suite}"
        made.append(
            _package(
                f"deb-{name}", name, version, address=address, supplier=f"Person: {fields.get('Maintainer', _NONE)}"
            )
        )
    return made


def _wheel(package: Package) -> dict[str, Any]:
    address = f"pkg:pypi/{package.name.lower().replace('_', '-')}@{quote(package.version, safe='.')}"
    made = _package(f"wheel-{package.name}", package.name, package.version, address=address, sha256=package.sha256)
    made["packageFileName"] = package.file
    made["licenseDeclared"] = package.license if _SPDX_LICENSE.fullmatch(package.license) else _NONE
    return made


def _bundle(name: str, sha256: str) -> dict[str, Any]:
    return _package("bundle", name, sha256[:12], sha256=sha256)


def _image(name: str, sha256: str) -> dict[str, Any]:
    return _package("Image", name, __version__, sha256=sha256)


def _package(
    identity: str, name: str, version: str, *, address: str = "", sha256: str = "", supplier: str = _NONE
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "SPDXID": "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", identity),
        "name": name,
        "versionInfo": version,
        "supplier": supplier,
        "downloadLocation": _NONE,
        "filesAnalyzed": False,
        "licenseConcluded": _NONE,
        "licenseDeclared": _NONE,
        "copyrightText": _NONE,
    }
    if address:
        made["externalRefs"] = [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": address}
        ]
    if sha256:
        made["checksums"] = [{"algorithm": "SHA256", "checksumValue": sha256}]
    return made


def _time(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
