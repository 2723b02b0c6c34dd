"""The values of `--delegate`, and detection of Edge TPUs.

    auto                       the Edge TPU if one is plugged in and the bundle has a part for it,
                               else the CPU; reports why
    xnnpack                    the CPU, with the interpreter's own delegate
    coral[,device=usb:0]       the Edge TPU, or an error
    PATH[,key=value...]        any external delegate with its options, or an error

Sources: external delegates, https://ai.google.dev/edge/litert/performance/implementing_delegate;
devices and options of the Edge TPU, https://coral.ai/docs/edgetpu/multiple-edgetpu/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edgevid.errors import UsageError
from edgevid.telemetry.environment import read_text

EDGETPU_LIBRARY = "libedgetpu.so.1"
DELEGATE_HELP = "auto, xnnpack, coral[,device=usb:0] or the PATH[,key=value...] of an external delegate"
Kind = Literal["auto", "xnnpack", "coral", "external"]
# A USB accelerator has the first identity until its firmware is loaded, the second from then on.
# Source: libedgetpu's udev rules, github.com/google-coral/libedgetpu,
# debian/edgetpu-accelerator.rules.
_USB_IDENTITIES = (("1a6e", "089a"), ("18d1", "9302"))


@dataclass(frozen=True)
class DelegateChoice:
    """A parsed value of `--delegate`.

    Attributes:
        kind: One of the four kinds in the module's table.
        library: Shared library of "coral" and "external"; empty for the others.
        options: Options for the library.
    """

    kind: Kind = "auto"
    library: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    def as_text(self) -> str:
        """Return the text that `parse_delegate` reads as this choice."""
        name = self.library if self.kind == "external" else self.kind
        return ",".join([name, *(f"{key}={value}" for key, value in self.options.items())])


AUTO, XNNPACK = DelegateChoice("auto"), DelegateChoice("xnnpack")


def parse_delegate(text: str) -> DelegateChoice:
    """Parse a value of `--delegate`.

    Args:
        text: One of the four forms in the module's table.

    Raises:
        UsageError: The text has none of these forms, names a missing file, or has an option without
            a value.
    """
    name, *pairs = text.split(",")
    options = _options(pairs, text)
    if name in ("auto", "xnnpack"):
        if options:
            raise UsageError(
                expected=f"{name} without options", got=text, hint="Pass options to 'coral' or a PATH only."
            )
        return AUTO if name == "auto" else XNNPACK
    if name == "coral":
        return DelegateChoice("coral", EDGETPU_LIBRARY, options)
    if not ("/" in name or name.endswith(".so") or ".so." in name):
        raise UsageError(expected=f"a delegate, one of {DELEGATE_HELP}", got=text)
    # The dynamic linker resolves a name without a slash, so only a path can be checked here.
    if "/" in name and not Path(name).is_file():
        raise UsageError(expected="the shared library of a delegate", got=text, found=f"none at {name}", path=name)
    return DelegateChoice("external", name, options)


def edgetpus(root: Path = Path("/")) -> tuple[str, ...]:
    """List the Edge TPUs that are plugged in.

    Args:
        root: Folder with `sys` and `dev`.

    Returns:
        One name per device, as "usb 1-1.2" and "pci apex_0".
    """
    # Look in sysfs rather than ask the driver, which would load its library on machines without an
    # Edge TPU.
    devices = sorted((root / "sys/bus/usb/devices").glob("*"))
    usb = [
        f"usb {device.name}"
        for device in devices
        if (read_text(device / "idVendor"), read_text(device / "idProduct")) in _USB_IDENTITIES
    ]
    # Source: the gasket driver's device nodes, https://coral.ai/docs/m2/get-started/.
    return (*usb, *(f"pci {node.name}" for node in sorted((root / "dev").glob("apex_*"))))


def _options(pairs: list[str], text: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals or key in options:
            raise UsageError(
                expected="options of a delegate as key=value, each key once", got=text, found=f"{pair!r} in {text!r}"
            )
        options[key] = value
    return options
