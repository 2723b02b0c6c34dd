"""Debian for the boards as a tar, bootstrapped once under emulation and cached for every later image.

The name of the tar contains a hash of the recipe, so another list of packages is another file.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from edgevid import atomic
from edgevid.errors import DeploymentError, FlashError
from edgevid.provision.image import host_tools
from edgevid.provision.image.recipe import ImageRecipe
from edgevid.provision.image.tar_tree import Archive, Tree, lay_over

# Part of the hash in the tar's name. Increase it when the same recipe is to give another tar.
_METHOD = 1
_PYTHON_FOLDERS = ("usr/lib/python3", "usr/share/netplan")
# A plain core is quicker to emulate than the default with all extensions. Every board has at least
# this one.
_EMULATED_CPU = "cortex-a53"


def cache_folder() -> Path:
    """Return the default folder of tars, which may not exist yet.

    Source: https://specifications.freedesktop.org/basedir-spec/latest/
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgevid" / "image"


def path(recipe: ImageRecipe, cache: Path) -> Path:
    """Return the path of a recipe's tar, whether or not it exists.

    Args:
        recipe: The Debian release and its packages.
        cache: The folder of tars.
    """
    inputs = [
        _METHOD,
        recipe.suite,
        recipe.python,
        recipe.components,
        # Sorted, because mmdebstrap does not care about the order.
        sorted(recipe.packages),
        recipe.left_out,
        recipe.kept,
    ]
    return cache / f"debian-{recipe.suite}-{hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:12]}.tar"


def bootstrap(
    recipe: ImageRecipe, cache: Path, *, epoch_s: int, progress: Callable[[str], None] = lambda step: None
) -> Path:
    """Return the tar of a recipe, and bootstrap it first if it is not cached.

    Args:
        recipe: The Debian release and its packages.
        cache: The folder of tars.
        epoch_s: Latest modification time of a file, in seconds since 1970.
        progress: Called with a description of each step.

    Returns:
        The tar.

    Raises:
        MissingDependency: A program is missing, or this machine cannot run aarch64 programs.
        DeploymentError: This Python cannot compile for the image's.
        FlashError: The bootstrap failed.
    """
    cached = path(recipe, cache)
    if cached.is_file():
        return cached
    is_foreign = os.uname().machine != "aarch64"
    host_tools.require_programs(["mmdebstrap", "arch-test"] if is_foreign else ["mmdebstrap"])
    host_tools.require_emulation()
    check_python(recipe)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".new-") as folder:
        bootstrapped, compiled = Path(folder) / "made.tar", Path(folder) / "compiled.tar"
        progress(f"bootstrapping Debian {recipe.suite} under emulation, once; this takes 5 to 15 minutes")
        _mmdebstrap(recipe, bootstrapped, epoch_s)
        with Archive(bootstrapped) as archive:
            bytecode = _bytecode(archive, recipe.python, Path(folder))
        lay_over(bootstrapped, bytecode, compiled, epoch_s=epoch_s)
        # Not flushed: it is a cache.
        atomic.put(compiled, cached, durable=False)
    return cached


def check_python(recipe: ImageRecipe) -> None:
    """Reject a Python whose bytecode the image's Python cannot read.

    Raises:
        DeploymentError: The versions differ.
    """
    own = ".".join(map(str, sys.version_info[:2]))
    if own != recipe.python:
        raise DeploymentError(
            expected=f"Python {recipe.python}, as in Debian {recipe.suite}, to compile bytecode for the image",
            got=own,
            found=own,
            hint=f"Use python{recipe.python}.",
        )


def compile_folder(folder: Path, device_path: str) -> None:
    """Compile the modules in a folder, because the device may not write there.

    Args:
        folder: On this machine.
        device_path: Absolute path of the folder on the device, which tracebacks show.

    Raises:
        FlashError: The compiler itself failed. A file with illegal syntax is skipped.
    """
    # unchecked-hash: Python uses the bytecode without comparing it with the time of its source. A
    # card's first boot has no clock, and the comparison could fail.
    modes = ("-q", "--invalidation-mode", "unchecked-hash")
    paths = ("-s", str(folder), "-p", device_path, str(folder))
    # A fixed hash seed: the order of sets is part of the bytecode.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    result = subprocess.run(
        (sys.executable, "-P", "-m", "compileall", *modes, *paths),
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    # 1 means that some files did not compile: packages ship templates and tests of syntax errors.
    if result.returncode not in (0, 1) or "Traceback" in result.stderr:
        raise FlashError(
            expected="compileall to succeed",
            got=result.returncode,
            found=f"exit code {result.returncode}: {result.stderr[-200:]}",
        )


def _mmdebstrap(recipe: ImageRecipe, out: Path, epoch_s: int) -> None:
    # force-unsafe-io: without its flushes dpkg is much faster, and a power cut only costs a new try.
    options = ['--aptopt=Apt::Install-Recommends "false"', "--dpkgopt=force-unsafe-io"]
    options += [f"--dpkgopt=path-exclude={pattern}" for pattern in recipe.left_out]
    # After the exclusions: dpkg lets the last matching pattern decide.
    options += [f"--dpkgopt=path-include={pattern}" for pattern in recipe.kept]
    selection = (
        "--variant=minbase",
        "--architectures=arm64",
        f"--components={','.join(recipe.components)}",
        f"--include={','.join(recipe.packages)}",
    )
    # INITRD=No: Debian's generator would run for minutes under emulation, and `initrd` makes
    # another one. Source: update-initramfs(8)
    emulated = ("env", "INITRD=No", f"QEMU_CPU={_EMULATED_CPU}", f"TMPDIR={out.parent}")
    host_tools.run((*emulated, "mmdebstrap", "--quiet", *selection, *options, recipe.suite, out), epoch_s=epoch_s)


def _bytecode(archive: Archive, python: str, scratch: Path) -> Tree:
    """Compile Debian's own Python modules on this machine; under emulation it takes minutes."""
    root = scratch / "root"
    folders = (*_PYTHON_FOLDERS, f"usr/lib/python{python}")
    for name in (name for folder in folders for name in archive.names(folder) if name.endswith(".py")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(archive.read(name))
    compile_folder(root, "/")
    tree = Tree()
    for each in sorted(root.rglob("*.pyc")):
        tree.file(each.relative_to(root).as_posix(), each.read_bytes())
    return tree
