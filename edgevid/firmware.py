"""Where the data of `firmware_configs` lies, and the boards and cameras in it.

The folder is at the top of the repository, and inside the package in a wheel; it is one and the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from edgevid.errors import DeploymentError
from edgevid.schema import from_toml, legal, read_toml

Release = Literal["bookworm", "trixie"]
Built = TypeVar("Built")
_FOLDER = "firmware_configs"


@dataclass(frozen=True, kw_only=True)
class Board:
    """A kind of board.

    Attributes:
        name: What a deployment calls it.
        model: The beginning of its device tree's model.
        soc: Its chip.
        cpu: Its cores' design.
        cores: How many.
        clock_mhz: Their highest clock without overclocking.
        ram_mib: Memory sizes it is sold with.
        throttle_c: From here on the firmware throttles the cores step by step.
        limit_c: From here on it throttles all it can.
        dot_product: Whether the cores have int8 dot-product instructions.
        device_trees: Files of which a boot partition must hold one for this board to start.
        config_filters: Sections of config.txt that it reads, besides [all].
        camera_ports: Connectors for a CSI camera.
        camera_pins: Of each connector; 0 where there is none.
        wifi: Whether it has Wi-Fi.
        releases: Raspberry Pi OS Lite (64-bit) that starts on it.
        sources: Where each fact is from.
        soft_limit_c: From here on the firmware lowers the clock a little; None where there is no such limit.
    """

    name: str
    model: str
    soc: str
    cpu: str
    cores: int
    clock_mhz: int
    ram_mib: tuple[int, ...]
    throttle_c: int
    limit_c: int
    dot_product: bool
    device_trees: tuple[str, ...]
    config_filters: tuple[str, ...]
    camera_ports: int
    camera_pins: int
    wifi: bool
    releases: tuple[Release, ...]
    sources: Mapping[str, str]
    soft_limit_c: int | None = None


@dataclass(frozen=True, kw_only=True)
class Mode:
    """A mode of a sensor: size in pixels, and frames per second at most."""

    width_px: int
    height_px: int
    max_fps: float


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A kind of camera.

    Attributes:
        name: What a deployment calls it.
        title: What its maker calls it.
        interface: How it is connected.
        source: What `edgevid run --source` calls it.
        autofocus: Whether its lens moves.
        formats: Pixel formats it gives.
        modes: Of the sensor; none where the camera names them itself.
        sources: Where each fact is from.
        overlay: The device tree overlay it needs; a CSI camera has one.
    """

    name: str
    title: str
    interface: Literal["csi", "usb"]
    source: str
    autofocus: bool
    formats: tuple[str, ...]
    modes: tuple[Mode, ...]
    sources: Mapping[str, str]
    overlay: str | None = None

    def __post_init__(self) -> None:
        """Refuse a camera that could not be found by the kernel."""
        if (self.interface == "csi") != (self.overlay is not None):
            need = (
                "an overlay, without which the kernel does not find it"
                if self.interface == "csi"
                else "no overlay, which only CSI cameras have"
            )
            raise DeploymentError(expected=f"{need}, for the camera {self.name!r}", got=self.overlay)


@cache
def folder() -> Path:
    """Find `firmware_configs`.

    Returns:
        Its path: inside the package, or beside it in a checkout.

    Raises:
        DeploymentError: The installation lacks it.
    """
    package = Path(__file__).resolve().parent
    for path in (package / _FOLDER, package.parent / _FOLDER):
        if path.is_dir():
            return path
    raise DeploymentError(expected=f"{_FOLDER} in {package}", found="none", hint="Install edgevid again.", path=package)


@cache
def boards() -> Mapping[str, Board]:
    """Give the boards that edgevid knows.

    Returns:
        By name.
    """
    return _read_all(Board, "boards")


@cache
def cameras() -> Mapping[str, Camera]:
    """Give the cameras that edgevid knows.

    Returns:
        By name.
    """
    return _read_all(Camera, "cameras")


def board(name: str) -> Board:
    """Give one board.

    Args:
        name: As in `boards`.

    Returns:
        Its facts.

    Raises:
        DeploymentError: There is no such board.
    """
    return boards()[legal(name, boards(), "a board")]


def camera(name: str) -> Camera:
    """Give one camera.

    Args:
        name: As in `cameras`.

    Returns:
        Its facts.

    Raises:
        DeploymentError: There is no such camera.
    """
    return cameras()[legal(name, cameras(), "a camera")]


def _read_all(kind: type[Any], subfolder: str) -> dict[str, Any]:
    paths = sorted((folder() / subfolder).glob("*.toml"))
    return {
        path.stem: from_toml(kind, {"name": path.stem, **read_toml(path)}, f"{subfolder}/{path.name}") for path in paths
    }
