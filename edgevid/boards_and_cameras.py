"""The boards and cameras that `firmware_configs` describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

from edgevid.errors import DeploymentError
from edgevid.schema import from_toml, legal, read_toml

Release = Literal["bookworm", "trixie"]
Built = TypeVar("Built")
_FOLDER = "firmware_configs"


@dataclass(frozen=True, kw_only=True)
class Board:
    """A kind of board.

    Attributes:
        name: Name in a deployment, such as "4b".
        model: Prefix of the model string in its device tree.
        soc: System on chip.
        cpu: Core design, such as "Cortex-A72".
        cores: Number of cores.
        clock_mhz: Highest clock without overclocking.
        ram_mib: Memory sizes on sale.
        throttle_c: Temperature at which the firmware begins to throttle the cores.
        limit_c: Temperature at which it throttles as far as it can.
        dot_product: Whether the cores have int8 dot-product instructions.
        device_trees: Device tree files; the board boots from a partition with one of them.
        config_filters: Sections of config.txt that it reads, besides [all].
        camera_ports: Number of CSI connectors.
        camera_pins: Pins of each connector; 0 without one.
        wifi: Whether it has Wi-Fi.
        releases: Releases of Raspberry Pi OS Lite (64-bit) that boot on it.
        sources: Source of each fact, by field.
        soft_limit_c: Temperature at which the firmware lowers the clock a little; None without one.
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
    """A sensor mode: its size and highest frame rate."""

    width_px: int
    height_px: int
    max_fps: float


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A kind of camera.

    Attributes:
        name: Name in a deployment, such as "imx708".
        title: The maker's name for it.
        interface: Its connection.
        source: Its name for `edgevid run --source`.
        autofocus: Whether the lens moves.
        formats: Pixel formats that it delivers.
        modes: Sensor modes; empty for a camera that reports its own.
        sources: Source of each fact, by field.
        overlay: Device tree overlay of a CSI camera; None for USB.
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
        """Reject a CSI camera without an overlay, and a USB camera with one."""
        if (self.interface == "csi") != (self.overlay is not None):
            # Without its overlay the kernel does not detect a CSI camera; USB cameras need none.
            need = "an overlay for the CSI" if self.interface == "csi" else "no overlay for the USB"
            raise DeploymentError(expected=f"{need} camera {self.name!r}", got=self.overlay)


@cache
def folder() -> Path:
    """Return the path of `firmware_configs`.

    Raises:
        DeploymentError: If the installation lacks it.
    """
    # A wheel has the folder inside the package, a checkout next to it.
    package = Path(__file__).resolve().parent
    for path in (package / _FOLDER, package.parent / _FOLDER):
        if path.is_dir():
            return path
    raise DeploymentError(expected=f"{_FOLDER} in {package}", found="none", hint="Install edgevid again.", path=package)


@cache
def boards() -> Mapping[str, Board]:
    """Return the supported boards by name."""
    return _read_all(Board, "boards")


@cache
def cameras() -> Mapping[str, Camera]:
    """Return the supported cameras by name."""
    return _read_all(Camera, "cameras")


def board(name: str) -> Board:
    """Return a board.

    Args:
        name: A key of `boards()`.

    Raises:
        DeploymentError: If there is no such board.
    """
    return boards()[legal(name, boards(), "a board")]


def camera(name: str) -> Camera:
    """Return a camera.

    Args:
        name: A key of `cameras()`.

    Raises:
        DeploymentError: If there is no such camera.
    """
    return cameras()[legal(name, cameras(), "a camera")]


def _read_all(kind: type[Built], subfolder: str) -> dict[str, Built]:
    built: dict[str, Built] = {}
    for path in sorted((folder() / subfolder).glob("*.toml")):
        # The file name is the name of the board or camera, so that the two cannot differ.
        table = {"name": path.stem, **read_toml(path)}
        built[path.stem] = from_toml(kind, table, f"{subfolder}/{path.name}")
    return built
