"""Measure on another machine over ssh, and bring the result and its samples back."""

from __future__ import annotations

import base64
import binascii
import json
import shlex
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
{program} bench {bundle} {arguments} -o "$folder/out/result.json" >/dev/null
base64 -w0 "$folder/out/result.json"; echo
base64 -w0 "$folder/out/result.npz"; echo
"""


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
    sent = device.send(bundle)
    script = _SCRIPT.format(
        bundle=shlex.quote(sent),
        leave=int(leave_service),
        program=device.program,
        arguments=shlex.join(arguments),
    )
    lines = device.shell(script, limit_s=_LIMIT_S).split()
    try:
        text, packed = (base64.b64decode(line, validate=True) for line in lines[-2:])
    except (ValueError, binascii.Error) as error:
        raise DeployError(
            expected=f"a result as the answer of {device.host}", found="something else", hint="Is its edgevid older?"
        ) from error
    raw = output.with_suffix(".npz")
    # The device named the samples after its own file.
    text = text.replace(b"result.npz", json.dumps(raw.name)[1:-1].encode())
    with tempfile.TemporaryDirectory(prefix=".edgevid-", dir=output.parent) as folder:
        arrived = Path(folder) / output.name
        arrived.write_bytes(text)
        arrived.with_suffix(".npz").write_bytes(packed)
        result = check(arrived)
        # Samples first: a result without them is invalid.
        atomic.put(arrived.with_suffix(".npz"), raw, durable=False)
        atomic.put(arrived, output, durable=False)
    return result
