"""Checks of the installed software: Python, interpreter, delegates, optional packages."""

from __future__ import annotations

from edgevid.backends.delegate_option import EDGETPU_LIBRARY, edgetpus
from edgevid.doctor.finding import Finding, ok
from edgevid.doctor.machine import Host
from edgevid.telemetry.environment import OPENCV_RELEASE, opencv_release

_PYTHONS = ((3, 11), (3, 13))
# The Linux architectures with wheels of the LiteRT interpreter.
_ARCHES = ("aarch64", "x86_64")
_INTERPRETERS = ("ai-edge-litert", "tflite-runtime")
# --system-site-packages: picamera2 is available from apt only.
_NEW_ENVIRONMENT = "python3 -m venv --system-site-packages ~/edgevid && ~/edgevid/bin/pip install edgevid"


def python(host: Host) -> Finding:
    """Check Python's version and the width of its addresses."""
    version = ".".join(map(str, host.python))
    found = f"Python {version}, {host.pointer_bits} bit, {host.arch}"
    # Check the pointers as well: a 32-bit Python on a 64-bit kernel reports aarch64.
    if host.pointer_bits != 64 or host.arch not in _ARCHES:
        mend = (
            "edgevid needs a 64-bit system on Arm or x86: "
            "flash Raspberry Pi OS (64-bit); a 32-bit one cannot be upgraded"
        )
        return Finding(check="python", status="fault", found=found, mend=mend)
    if not _PYTHONS[0] <= host.python[:2] <= _PYTHONS[1]:
        mend = (
            "sudo apt-get install python3.11-venv && python3.11 -m venv --system-site-packages ~/edgevid "
            "&& ~/edgevid/bin/pip install edgevid"
        )
        return Finding(check="python", status="fault", found=f"{found}; edgevid runs on 3.11 to 3.13", mend=mend)
    return ok("python", found)


def interpreter(host: Host) -> Finding:
    """Check that a LiteRT interpreter is installed."""
    for name in _INTERPRETERS:
        if name in host.packages:
            numpy = host.packages.get("numpy", "missing")
            return ok("interpreter", f"{name} {host.packages[name]}, numpy {numpy}")
    return Finding(
        check="interpreter", status="fault", found="none is installed", mend="python3 -m pip install ai-edge-litert"
    )


def delegates(host: Host) -> Finding:
    """List Edge TPUs and check that their library loads."""
    plugged, has_library = edgetpus(host.root), host.loads(EDGETPU_LIBRARY)
    if not plugged:
        unused = f"; {EDGETPU_LIBRARY} is installed, no Edge TPU is plugged in" if has_library else ""
        return ok("delegates", f"xnnpack (CPU){unused}")
    found = f"xnnpack (CPU); Edge TPU at {', '.join(plugged)}"
    if not has_library:
        # Source: https://coral.ai/docs/accelerator/get-started/, whose package source has to be
        # added first.
        mend = (
            "sudo apt-get install libedgetpu1-std   # from Coral's package source, "
            "https://coral.ai/docs/accelerator/get-started/#1-install-the-edge-tpu-runtime"
        )
        return Finding(
            check="delegates", status="fault", found=f"{found}, but {EDGETPU_LIBRARY} does not load", mend=mend
        )
    return ok("delegates", f"{found}, {EDGETPU_LIBRARY}")


def extras(host: Host) -> Finding:
    """List the optional packages; warn if none reads a camera or a video, or OpenCV is of another release."""
    installed = {name: version for name, version in host.packages.items() if name not in (*_INTERPRETERS, "numpy")}
    listed = ", ".join(f"{name} {version}" for name, version in installed.items())
    if opencv_release(installed) not in (None, OPENCV_RELEASE):
        return Finding(
            check="extras",
            status="warning",
            found=f"{listed}: bundles are made with OpenCV {OPENCV_RELEASE}, others decode other colors",
            mend=f"python3 -m pip install 'opencv-python-headless=={OPENCV_RELEASE}.*'",
        )
    if any(name.startswith(("opencv", "picamera2")) for name in installed):
        return ok("extras", listed)
    mend = (
        "python3 -m pip install 'edgevid[opencv]'   # USB cameras, streams, files\n"
        f"sudo apt-get install python3-picamera2   # CSI cameras; then: {_NEW_ENVIRONMENT}"
    )
    found = f"{listed or 'none is installed'}: no package reads a camera or a video"
    return Finding(check="extras", status="warning", found=found, mend=mend)
