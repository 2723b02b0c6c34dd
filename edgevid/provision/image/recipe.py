"""The recipe of an image, from `firmware_configs/image`: a Debian release, its packages and boards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from edgevid import boards_and_cameras
from edgevid.boards_and_cameras import Release
from edgevid.errors import DeploymentError
from edgevid.provision.deployment import Deployment
from edgevid.provision.releases import check_timezone
from edgevid.schema import from_toml, legal, read_toml

FOLDER = "image"


@dataclass(frozen=True, kw_only=True)
class ImageRecipe:
    """A release of Debian as an image for boards.

    Attributes:
        suite: Codename of the release.
        python: Its Python version, as "3.11".
        components: Components of the Debian archive.
        packages: Packages besides the essential ones.
        left_out: Patterns of paths that dpkg does not unpack.
        kept: Patterns of paths that dpkg unpacks although `left_out` matches them.
        modules: Kernel modules that the initrd loads.
        boot_mib: Size of the boot partition.
        spare_mib: Free space in the root file system before the first boot, which grows it to the size of the card.
        device_trees: File name of each supported board's device tree.
        wifi_security: Values of `[wifi] security` that its network tools know.
        sources: Reference for each fact.
    """

    suite: Release
    python: str
    components: tuple[str, ...]
    packages: tuple[str, ...]
    left_out: tuple[str, ...]
    kept: tuple[str, ...]
    modules: tuple[str, ...]
    boot_mib: int
    spare_mib: int
    device_trees: Mapping[str, str]
    wifi_security: tuple[str, ...]
    sources: Mapping[str, str]


@cache
def recipes() -> Mapping[str, ImageRecipe]:
    """Read all recipes, by the codename of the release."""
    paths = sorted((boards_and_cameras.folder() / FOLDER).glob("*.toml"))
    return {path.stem: from_toml(ImageRecipe, read_toml(path), f"{FOLDER}/{path.name}") for path in paths}


def recipe(suite: str) -> ImageRecipe:
    """Return the recipe of a release.

    Args:
        suite: Codename of the release.

    Raises:
        DeploymentError: There is no recipe for the release.
    """
    return recipes()[legal(suite, recipes(), "a release for an image")]


def check(made_of: ImageRecipe, deployment: Deployment) -> None:
    """Reject a deployment that Debian does not support.

    Args:
        made_of: The recipe.
        deployment: The device.

    Raises:
        DeploymentError: The kernel has no device tree for the board or no driver for the camera, or the
            deployment asks for a read-only root or a time zone or Wi-Fi that the release lacks.
    """
    board, camera = deployment.facts, deployment.optics
    check_timezone(deployment.timezone, of=[made_of.suite], is_each=True)
    if board.name not in made_of.device_trees:
        raise DeploymentError(
            expected=f"a board that Debian {made_of.suite} starts on",
            choices=made_of.device_trees,
            got=board.name,
            hint="Use edgevid flash with Raspberry Pi OS.",
        )
    if camera.interface != "usb":
        raise DeploymentError(
            expected="a USB camera",
            got=camera.interface,
            found=f"{camera.title}, for which Debian's kernel has no driver",
            hint="Use edgevid flash with Raspberry Pi OS.",
        )
    if deployment.wifi:
        DeploymentError.unless(
            deployment.wifi.kind in made_of.wifi_security,
            expected=f"[wifi] security that netplan of Debian {made_of.suite} knows",
            choices=made_of.wifi_security,
            got=deployment.wifi.kind,
            hint="Use edgevid flash with Raspberry Pi OS.",
        )
    if deployment.card.read_only_root:
        # cloud-init sets the image up at its first boot, and a root that forgets would lose that.
        raise DeploymentError(
            expected="[card] read_only_root = false for an image of Debian",
            got=True,
            found="true",
            hint="Use edgevid flash with Raspberry Pi OS.",
        )
