"""Checks of what is installed: Python, interpreter, delegates."""

from __future__ import annotations

from edgevid.backends.delegates import EDGETPU_LIBRARY, edgetpus
from edgevid.doctor.finding import Finding, ok
from edgevid.doctor.machine import Host

_PYTHONS = ((3, 11), (3, 13))
_ARCHES = ("aarch64", "x86_64")
_NEW_ENVIRONMENT = "python3 -m venv --system-site-packages ~/edgevid && ~/edgevid/bin/pip install edgevid"


def python(machine: Host) -> Finding:
    """Look at Python's version and width.

    Args:
        machine: See `Host`.

    Returns:
        What was found.
    """
    version = ".".join(map(str, machine.python))
    found = f"Python {version}, {machine.pointer_bits} bit, {machine.arch}"
    if machine.pointer_bits != 64 or machine.arch not in _ARCHES:
        mend = "edgevid needs a 64-bit system on Arm or x86: flash Raspberry Pi OS (64-bit); no command turns a 32-bit one into it"
        return Finding(check="python", status="fault", found=found, mend=mend)
    if not _PYTHONS[0] <= machine.python[:2] <= _PYTHONS[1]:
        mend = "sudo apt-get install python3.11-venv && python3.11 -m venv --system-site-packages ~/edgevid && ~/edgevid/bin/pip install edgevid"
        return Finding(check="python", status="fault", found=f"{found}; edgevid runs on 3.11 to 3.13", mend=mend)
    return ok("python", found)


def interpreter(machine: Host) -> Finding:
    """Look for the LiteRT interpreter.

    Args:
        machine: See `Host`.

    Returns:
        What was found.
    """
    for name in ("ai-edge-litert", "tflite-runtime"):
        if name in machine.packages:
            return ok(
                "interpreter", f"{name} {machine.packages[name]}, numpy {machine.packages.get('numpy', 'missing')}"
            )
    return Finding(
        check="interpreter", status="fault", found="none is installed", mend="python3 -m pip install ai-edge-litert"
    )


def delegates(machine: Host) -> Finding:
    """Look for Edge TPUs and for what drives them.

    Args:
        machine: See `Host`.

    Returns:
        What was found.
    """
    plugged, library = edgetpus(machine.root), machine.loads(EDGETPU_LIBRARY)
    if not plugged:
        return ok(
            "delegates",
            "xnnpack (CPU)" + (f"; {EDGETPU_LIBRARY} is there, no Edge TPU is plugged in" if library else ""),
        )
    found = f"xnnpack (CPU); Edge TPU at {', '.join(plugged)}"
    if not library:
        # Source: https://coral.ai/docs/accelerator/get-started/, whose package source has to be added first.
        mend = "sudo apt-get install libedgetpu1-std   # from Coral's package source, https://coral.ai/docs/accelerator/get-started/#1-install-the-edge-tpu-runtime"
        return Finding(
            check="delegates", status="fault", found=f"{found}, but {EDGETPU_LIBRARY} does not load", mend=mend
        )
    return ok("delegates", f"{found}, {EDGETPU_LIBRARY}")


def extras(machine: Host) -> Finding:
    """Name the optional packages that are there.

    Args:
        machine: See `Host`.

    Returns:
        What was found; a camera needs one of the first two.
    """
    there = [
        f"{name} {version}"
        for name, version in machine.packages.items()
        if name not in ("ai-edge-litert", "tflite-runtime", "numpy")
    ]
    if any(name.split()[0].startswith(("opencv", "picamera2")) for name in there):
        return ok("extras", ", ".join(there))
    found = ", ".join(there) or "none is installed"
    mend = (
        "python3 -m pip install 'edgevid[opencv]'   # USB cameras, streams, files\n"
        f"sudo apt-get install python3-picamera2   # CSI cameras; then: {_NEW_ENVIRONMENT}"
    )
    return Finding(
        check="extras", status="warning", found=f"{found}: nothing here can read a camera or a video", mend=mend
    )
