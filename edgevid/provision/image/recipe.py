"""What an image is made of: the data of `firmware_configs/image`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from edgevid import firmware
from edgevid.errors import DeploymentError
from edgevid.firmware import Release
from edgevid.provision.deployment import Deployment
from edgevid.schema import from_toml, legal, read_toml

FOLDER = "image"


@dataclass(frozen=True, kw_only=True)
class ImageRecipe:
    """A release of Debian, as an image for boards.

    Attributes:
        suite: The release.
        python: Its Python, as "3.11".
        components: Of the archive.
        packages: What is installed besides what is essential.
        left_out: Patterns of paths that are not unpacked.
        kept: Patterns of paths that are, although they are left out by another.
        modules: Kernel modules for the time before the root file system.
        boot_mib: Size of the boot partition.
        spare_mib: Free space in the root file system before the first boot, which makes it as large as the card.
        device_trees: The file of each board that starts from it.
        sources: Where the facts are from.
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
    sources: Mapping[str, str]


@cache
def recipes() -> Mapping[str, ImageRecipe]:
    """Give the releases of which an image can be made.

    Returns:
        By the name of the release.
    """
    paths = sorted((firmware.folder() / FOLDER).glob("*.toml"))
    return {path.stem: from_toml(ImageRecipe, read_toml(path), f"{FOLDER}/{path.name}") for path in paths}


def recipe(suite: str) -> ImageRecipe:
    """Give one of them.

    Args:
        suite: The release.

    Returns:
        Its recipe.

    Raises:
        DeploymentError: There is none.
    """
    return recipes()[legal(suite, recipes(), "a release for an image")]


def check(made_of: ImageRecipe, deployment: Deployment) -> None:
    """Refuse what would not start, or not see.

    Args:
        made_of: The release.
        deployment: What the device shall be.

    Raises:
        DeploymentError: Debian's kernel has no device tree for the board or no driver for the camera, or Debian lacks what is asked for.
    """
    board, camera = deployment.facts, deployment.optics
    if board.name not in made_of.device_trees:
        known = ", ".join(made_of.device_trees)
        raise DeploymentError(
            expected=f"a board that Debian {made_of.suite} starts on, one of {known}",
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
    if deployment.card.read_only_root:
        raise DeploymentError(
            expected="[card] read_only_root = false, since what sets up an image of Debian at its first boot must be kept",
            got=True,
            found="true",
            hint="Use edgevid flash with Raspberry Pi OS.",
        )
