"""The machine of a benchmark, and whether it is one at all."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

from edgevid.bench.result import MeasuredMachine
from edgevid.board.state import read_state
from edgevid.telemetry.environment import machine, read_field, read_text

# What systemd-detect-virt prints for a machine whose instructions another processor translates.
# Source: systemd-detect-virt(1): "qemu" is QEMU without KVM.
_TRANSLATED = ("qemu", "bochs")
_ARM_FIELD, _X86_FIELD = "CPU architecture", "vendor_id"
_DETECT_LIMIT_S = 5.0
# Raspberry Pi's boot loader writes its version into the device tree.
_FIRMWARE = "proc/device-tree/chosen/bootloader/version"


def measured_machine(root: Path = Path("/")) -> MeasuredMachine:
    """Describe the machine.

    Args:
        root: Folder with `sys`, `proc` and `usr`.
    """
    facts, state = machine(root), read_state(root, ask_firmware=False)
    virtual = _virtual(root)
    return MeasuredMachine(
        board=facts.board,
        cpu=facts.cpu,
        arch=facts.arch,
        cores=facts.cores,
        ram_mib=facts.ram_mib,
        os=facts.os,
        kernel=facts.kernel,
        firmware=read_text(root / _FIRMWARE),
        governor=state.governor,
        clock_max_mhz=state.clock_max_mhz,
        virtual=virtual,
        is_emulated=virtual in _TRANSLATED or _is_translated(root, facts.arch),
    )


def _virtual(root: Path) -> str:
    """Return the kind of the virtual machine; empty on a real one."""
    program = shutil.which("systemd-detect-virt") if root == Path("/") else None
    if program:
        done = subprocess.run([program, "--vm"], capture_output=True, text=True, timeout=_DETECT_LIMIT_S, check=False)
        if (found := done.stdout.strip()) and found != "none":
            return found
    if "QEMU" in (read_field(root / "proc/cpuinfo", "model name", ":") or ""):
        return "qemu"
    if "dummy-virt" in (read_text(root / "proc/device-tree/model") or ""):
        return "qemu"
    flags = (read_field(root / "proc/cpuinfo", "flags", ":") or "").split()
    return "unknown hypervisor" if "hypervisor" in flags else ""


def _is_translated(root: Path, arch: str) -> bool:
    """Return whether the kernel is of another instruction set than this process, as with qemu-user."""
    cpuinfo = root / "proc/cpuinfo"
    is_arm_process = arch.startswith(("aarch64", "arm"))
    is_arm_kernel = read_field(cpuinfo, _ARM_FIELD, ":") is not None
    is_x86_kernel = read_field(cpuinfo, _X86_FIELD, ":") is not None
    # On x86 a process under qemu-user is told its own architecture by uname.
    return (is_arm_process and is_x86_kernel) or (platform.machine() == "x86_64" and is_arm_kernel)
