"""Debian for the boards as a tar: bootstrapped once under emulation, which takes minutes, and kept for every image after it.

The file's name is a hash of all that was asked for, so another list of packages is another file.
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

# Another way of making the same list of packages is another file too.
_METHOD = 1
_PYTHON_FOLDERS = ("usr/lib/python3", "usr/share/netplan")
# A plain core is quicker to emulate than the default one with all extensions, and every board has at least this.
_EMULATED_CPU = "cortex-a53"


def cache_folder() -> Path:
    """Where tars are kept, where nobody says otherwise.

    Returns:
        A folder of the user's, which may not be there yet.

    Source: https://specifications.freedesktop.org/basedir-spec/latest/
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgevid" / "image"


def path(recipe: ImageRecipe, cache: Path) -> Path:
    """Name the tar of a recipe.

    Args:
        recipe: Says what is in it.
        cache: The folder of tars.

    Returns:
        Its path, whether it is there or not.
    """
    asked = [
        _METHOD,
        recipe.suite,
        recipe.python,
        recipe.components,
        sorted(recipe.packages),
        recipe.left_out,
        recipe.kept,
    ]
    return cache / f"debian-{recipe.suite}-{hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:12]}.tar"


def bootstrap(
    recipe: ImageRecipe, cache: Path, *, epoch_s: int, say: Callable[[str], None] = lambda text: None
) -> Path:
    """Give the tar of a recipe; make it first where it is not there.

    Args:
        recipe: What shall be in it.
        cache: The folder of tars.
        epoch_s: The latest time of a file in it.
        say: Told of each step.

    Returns:
        The tar.

    Raises:
        MissingDependency: A program is missing, or no aarch64 program runs here.
        DeploymentError: This Python cannot compile for the image's.
        FlashError: The bootstrap failed.
    """
    kept = path(recipe, cache)
    if kept.is_file():
        return kept
    host_tools.need(["mmdebstrap"])
    host_tools.need_emulation()
    refuse_python(recipe)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".new-") as folder:
        made, compiled = Path(folder) / "made.tar", Path(folder) / "compiled.tar"
        say(f"bootstrapping Debian {recipe.suite} under emulation, once; this takes 5 to 15 minutes")
        _mmdebstrap(recipe, made, epoch_s)
        with Archive(made) as archive:
            bytecode = _bytecode(archive, recipe.python, Path(folder))
        lay_over(made, bytecode, compiled, epoch_s=epoch_s)
        atomic.put(compiled, kept, durable=False)
    return kept


def refuse_python(recipe: ImageRecipe) -> None:
    """Refuse a Python whose bytecode the image's cannot read.

    Args:
        recipe: Names the image's.

    Raises:
        DeploymentError: It is another one.
    """
    here = ".".join(map(str, sys.version_info[:2]))
    if here != recipe.python:
        raise DeploymentError(
            expected=f"Python {recipe.python}, as in Debian {recipe.suite}, whose bytecode is compiled here",
            got=here,
            found=f"{here}",
            hint=f"Use python{recipe.python}.",
        )


def compile_folder(folder: Path, device: str) -> None:
    """Compile a folder's modules as the device would, which may not write there.

    The bytecode is used without a look at its source's time, which a card's first start without a clock would get wrong.

    Args:
        folder: On this machine.
        device: What its path is on the device.

    Raises:
        FlashError: The compiler itself failed; a single module that is not Python stays as it is.
    """
    command = (
        sys.executable,
        "-m",
        "compileall",
        "-q",
        "--invalidation-mode",
        "unchecked-hash",
        "-s",
        str(folder),
        "-p",
        device,
        str(folder),
    )
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONHASHSEED": "0"}
    )
    if done.returncode not in (0, 1) or "Traceback" in done.stderr:
        raise FlashError(
            expected="compileall to succeed",
            got=done.returncode,
            found=f"exit code {done.returncode}: {done.stderr[-200:]}",
        )


def _mmdebstrap(recipe: ImageRecipe, out: Path, epoch_s: int) -> None:
    options = ['--aptopt=Apt::Install-Recommends "false"', "--dpkgopt=force-unsafe-io"]
    options += [f"--dpkgopt=path-exclude={pattern}" for pattern in recipe.left_out]
    options += [f"--dpkgopt=path-include={pattern}" for pattern in recipe.kept]
    what = (
        "--variant=minbase",
        "--architectures=arm64",
        f"--components={','.join(recipe.components)}",
        f"--include={','.join(recipe.packages)}",
    )
    # INITRD=No: Debian's generator would run for minutes under emulation, and `initrd` makes another. Source: update-initramfs(8)
    emulated = ("env", "INITRD=No", f"QEMU_CPU={_EMULATED_CPU}", f"TMPDIR={out.parent}")
    host_tools.run((*emulated, "mmdebstrap", "--quiet", *what, *options, recipe.suite, out), epoch_s=epoch_s)


def _bytecode(archive: Archive, python: str, scratch: Path) -> Tree:
    """Compile Debian's own Python modules on this machine."""
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
