"""What a person writes after `--delegate`, and which Edge TPUs are plugged in.

    auto                       the Edge TPU where one is plugged in and the bundle has a part for it, the CPU otherwise; says which and why
    xnnpack                    the CPU, by the interpreter's own delegate
    coral[,device=usb:0]       the Edge TPU, or an error
    PATH[,key=value...]        any external delegate, with its options, or an error

Source: external delegates, https://ai.google.dev/edge/litert/performance/implementing_delegate; devices and options of the Edge TPU's,
https://coral.ai/docs/edgetpu/multiple-edgetpu/.
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
# Source: libedgetpu's udev rules, github.com/google-coral/libedgetpu, debian/edgetpu-accelerator.rules.
_USB_IDENTITIES = (("1a6e", "089a"), ("18d1", "9302"))


@dataclass(frozen=True)
class DelegateChoice:
    """What was asked for.

    Attributes:
        kind: Which of the four.
        library: The shared library of "coral" and "external".
        options: Passed to it.
    """

    kind: Kind = "auto"
    library: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


AUTO, XNNPACK = DelegateChoice("auto"), DelegateChoice("xnnpack")


def parse_delegate(text: str) -> DelegateChoice:
    """Read what a person wrote.

    Args:
        text: See the module.

    Returns:
        The choice.

    Raises:
        UsageError: It is none of the four, a path without a file, or an option without a value.
    """
    name, *pairs = text.split(",")
    options = _options(pairs, text)
    if name in ("auto", "xnnpack"):
        if options:
            raise UsageError(expected=f"{name} without options", got=text, hint="Options go to 'coral' or to a PATH.")
        return AUTO if name == "auto" else XNNPACK
    if name == "coral":
        return DelegateChoice("coral", EDGETPU_LIBRARY, options)
    if not ("/" in name or name.endswith(".so") or ".so." in name):
        raise UsageError(expected=f"a delegate, one of {DELEGATE_HELP}", got=text)
    # A bare name is looked up as the dynamic linker does.
    if "/" in name and not Path(name).is_file():
        raise UsageError(expected="the shared library of a delegate", got=text, found=f"none at {name}", path=name)
    return DelegateChoice("external", name, options)


def edgetpus(root: Path = Path("/")) -> tuple[str, ...]:
    """Find the Edge TPUs that are plugged in.

    Args:
        root: Where `sys` and `dev` lie.

    Returns:
        One name each, as "usb 1-1.2" and "pci apex_0".
    """
    devices = sorted((root / "sys/bus/usb/devices").glob("*"))
    usb = [
        f"usb {device.name}"
        for device in devices
        if (read_text(device / "idVendor"), read_text(device / "idProduct")) in _USB_IDENTITIES
    ]
    # Source: the gasket driver's device nodes, https://coral.ai/docs/m2/get-started/.
    return (*usb, *(f"pci {node.name}" for node in sorted((root / "dev").glob("apex_*"))))


def _options(pairs: list[str], text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals or key in found:
            raise UsageError(
                expected="options of a delegate as key=value, each key once", got=text, found=f"{pair!r} in {text!r}"
            )
        found[key] = value
    return found
