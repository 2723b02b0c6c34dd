"""Measure on another machine over ssh, and bring the result and its samples back."""

from __future__ import annotations

import base64
import io
import json
import re
import shlex
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgevid import atomic
from edgevid.bench.check import check
from edgevid.bench.result import Result
from edgevid.errors import DeployError
from edgevid.updates.remote import Device

# An hour's soak, and its start.
_LIMIT_S = 2 * 3600
# The service is stopped while the benchmark runs, and started again however that ends.
_SCRIPT = """
set -e
folder=$(dirname {bundle})
trap 'rm -rf "$folder"' EXIT
if [ {leave} = 0 ] && systemctl is-active --quiet edgevid.service 2>/dev/null; then
  trap 'rm -rf "$folder"; sudo systemctl start edgevid.service' EXIT
  sudo systemctl stop edgevid.service
fi
mkdir -m 777 "$folder/out"
{program} bench {words} -o "$folder/out/{output}" >/dev/null
tar -C "$folder/out" -cf "$folder/out.tar" .
base64 -w0 "$folder/out.tar"
"""
# The names that `bench` and its other verbs give to files.
_NAME = re.compile(r"(?:\./)?([A-Za-z0-9_][A-Za-z0-9_.,:=+-]{0,200}\.(?:json|npz))")
_MOST_BYTES = 1 << 28


def measure_remotely(
    device: Device, bundle: Path, arguments: Sequence[str], output: Path, *, leave_service: bool = False
) -> Result:
    """Measure a bundle on a device.

    Args:
        device: The device.
        bundle: The bundle to send and measure; its copy is removed.
        arguments: Options of `edgevid bench`.
        output: The `.json` file to write; its samples lie beside it.
        leave_service: Whether the device's service keeps running; the result is invalid then.

    Returns:
        The result, checked.

    Raises:
        DeployError: The device cannot be reached, or the benchmark failed there.
        ResultInvalid: What came back is no result that agrees with itself.
    """
    atomic.check_folder(output, suffix=".json")
    with tempfile.TemporaryDirectory(prefix=".edgevid-", dir=output.parent) as folder:
        run_there(device, bundle, ["{bundle}", *arguments], "result.json", Path(folder), leave_service=leave_service)
        arrived, raw = Path(folder) / output.name, output.with_suffix(".npz")
        # The device named the samples after its own file.
        text = bytes_of(Path(folder) / "result.json", device)
        arrived.write_bytes(text.replace(b"result.npz", json.dumps(raw.name)[1:-1].encode()))
        arrived.with_suffix(".npz").write_bytes(bytes_of(Path(folder) / "result.npz", device))
        result = check(arrived)
        _put(arrived, output)
    return result


def sweep_remotely(
    device: Device,
    bundle: Path,
    arguments: Sequence[str],
    names: Sequence[str],
    output: Path,
    *,
    leave_service: bool = False,
) -> dict[str, Result]:
    """Measure variants of a bundle's run on a device.

    Args:
        device: The device.
        bundle: The bundle to send and measure; its copy is removed.
        arguments: Options of `edgevid bench sweep`.
        names: Names of the files, without their suffix.
        output: Folder for the results, which exists.
        leave_service: Whether the device's service keeps running; the results are invalid then.

    Returns:
        The results by name, checked.

    Raises:
        DeployError: The device cannot be reached, or the benchmark failed there.
        ResultInvalid: What came back is no result that agrees with itself.
    """
    with tempfile.TemporaryDirectory(prefix=".edgevid-", dir=output) as folder:
        run_there(device, bundle, ["sweep", "{bundle}", *arguments], "", Path(folder), leave_service=leave_service)
        for name in names:
            bytes_of(Path(folder) / f"{name}.json", device)
        results = {name: check(Path(folder) / f"{name}.json") for name in names}
        for name in names:
            _put(Path(folder) / f"{name}.json", output / f"{name}.json")
    return results


def run_there(
    device: Device, bundle: Path, words: Sequence[str], output: str, folder: Path, *, leave_service: bool
) -> None:
    """Run a benchmark on a device, and unpack its files into a folder.

    Args:
        device: The device.
        bundle: The bundle to send; its copy is removed.
        words: Words after `edgevid bench`; "{bundle}" stands for the copy.
        output: Name for the option `-o` there; "" for a folder of files.
        folder: The local folder, which exists.
        leave_service: Whether the device's service keeps running.

    Raises:
        DeployError: The device cannot be reached, the benchmark failed there, or it answered nothing.
    """
    sent = device.send(bundle)
    script = _SCRIPT.format(
        bundle=shlex.quote(sent),
        leave=int(leave_service),
        program=device.program,
        words=shlex.join([sent if word == "{bundle}" else word for word in words]),
        output=output,
    )
    text = device.shell(script, limit_s=_LIMIT_S)
    try:
        packed = io.BytesIO(base64.b64decode(text.split()[-1], validate=True))
        with tarfile.open(fileobj=packed, mode="r:") as archive:
            _unpack(archive, folder)
    except (ValueError, IndexError, tarfile.TarError, EOFError, OSError) as error:
        raise no_result(device) from error


def _unpack(archive: tarfile.TarFile, folder: Path) -> None:
    left = _MOST_BYTES
    for member in archive:
        found, left = _NAME.fullmatch(member.name), left - member.size
        source = archive.extractfile(member) if found and member.isreg() and left >= 0 else None
        if found and source is not None:
            (folder / found[1]).write_bytes(source.read())


def bytes_of(path: Path, device: Device) -> bytes:
    """Read a file that came back.

    Raises:
        DeployError: It did not come back.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise no_result(device) from error


def no_result(device: Device) -> DeployError:
    """Return the error about a device that answered something else."""
    return DeployError(
        expected=f"a result as the answer of {device.host}", found="something else", hint="Is its edgevid older?"
    )


def _put(arrived: Path, output: Path) -> None:
    # Samples first: a result without them is invalid.
    atomic.put(arrived.with_suffix(".npz"), output.with_suffix(".npz"), durable=False)
    atomic.put(arrived, output, durable=False)
