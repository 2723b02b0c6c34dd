"""The software bill of materials of an image in SPDX 2.3: Debian packages, wheels and the bundle.

Source: https://spdx.github.io/spdx-spec/v2.3/ and, for package URLs, https://github.com/package-url/purl-spec
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
    """Describe the packages of an image.

    Args:
        name: Name of the image.
        archive: The root file system as Debian left it.
        suite: Codename of the Debian release.
        wheels: The installed Python packages.
        bundle: File name and SHA-256 of the bundle.
        epoch_s: Time of creation, in seconds since 1970.
        image_sha256: Hash of the unpacked image, in hexadecimal.

    Returns:
        The document, ready for JSON.
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
        # SPDX requires a unique URI. The hash of the image is unique and reproducible.
        "documentNamespace": f"urn:edgevid:image:{image_sha256}",
        "creationInfo": {"created": _time(epoch_s), "creators": [f"Tool: edgevid-{__version__}"]},
        "packages": packages,
        "relationships": [describes, *contains],
    }


def debian_packages(archive: Archive) -> list[dict[str, str]]:
    """Read the installed Debian packages.

    Args:
        archive: The root file system.

    Returns:
        The fields of each package, sorted by name.

    Source: dpkg-query(1) and deb-control(5)
    """
    entries = archive.read("var/lib/dpkg/status").decode("utf-8", errors="replace").strip().split("\n\n")
    packages = [dict(HeaderParser().parsestr(entry).items()) for entry in entries]
    # Removed packages with configuration files left have the status "deinstall ok config-files".
    installed = [each for each in packages if each.get("Status", "").endswith(" installed")]
    return sorted(installed, key=lambda each: each["Package"])


def _debian(archive: Archive, suite: str) -> list[dict[str, Any]]:
    described = []
    for fields in debian_packages(archive):
        name, version, architecture = fields["Package"], fields["Version"], fields["Architecture"]
        # An epoch ("1:1.35") and a plus must be percent-encoded in a package URL.
        url = f"pkg:deb/debian/{name}@{quote(version, safe='.')}?arch={architecture}&distro=debian-{suite}"
        supplier = f"Person: {fields.get('Maintainer', _NONE)}"
        described.append(_package(f"deb-{name}", name, version, url=url, supplier=supplier))
    return described


def _wheel(package: Package) -> dict[str, Any]:
    url = f"pkg:pypi/{package.name.lower().replace('_', '-')}@{quote(package.version, safe='.')}"
    described = _package(f"wheel-{package.name}", package.name, package.version, url=url, sha256=package.sha256)
    described["packageFileName"] = package.file
    # Free text such as "Apache 2.0" is not a licence expression of SPDX.
    described["licenseDeclared"] = package.license if _SPDX_LICENSE.fullmatch(package.license) else _NONE
    return described


def _bundle(name: str, sha256: str) -> dict[str, Any]:
    return _package("bundle", name, sha256[:12], sha256=sha256)


def _image(name: str, sha256: str) -> dict[str, Any]:
    return _package("Image", name, __version__, sha256=sha256)


def _package(
    identity: str, name: str, version: str, *, url: str = "", sha256: str = "", supplier: str = _NONE
) -> dict[str, Any]:
    described: dict[str, Any] = {
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
    if url:
        described["externalRefs"] = [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": url}
        ]
    if sha256:
        described["checksums"] = [{"algorithm": "SHA256", "checksumValue": sha256}]
    return described


def _time(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
