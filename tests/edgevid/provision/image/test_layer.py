"""Grammar, names and hooks of the layer for rpi-image-gen. NOTHING HERE BUILDS IT: that needs Raspberry Pi's archive.

Source of the grammar: github.com/raspberrypi/rpi-image-gen, docs/layer/index.adoc ("X-Env Metadata"), which
is DEB822 in comments.
"""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from edgevid import boards_and_cameras

FOLDER = boards_and_cameras.folder() / "rpi-image-gen"
LAYERS = sorted((FOLDER / "layer").glob("*.yaml"))
CONFIGS = sorted((FOLDER / "config").glob("*.yaml"))
ATTRIBUTES = {
    "Name",
    "Desc",
    "Description",
    "Category",
    "Version",
    "Requires",
    "Provides",
    "RequiresProvider",
    "AfterProvider",
    "Conflicts",
    "Type",
    "Generator",
    "Sets",
}
PROPERTIES = {"Desc", "Description", "Required", "Valid", "Set", "Triggers", "Conflicts", "Anchor"}
POLICIES = {"y", "n", "immediate", "lazy", "force", "skip"}
HOOKS = {"setup-hooks", "extract-hooks", "essential-hooks", "customize-hooks", "cleanup-hooks"}
# The layers of rpi-image-gen itself, as in its docs/layer. Other layers must be ours.
KNOWN_LAYERS = {
    "device-user-admin",
    "openssh-server",
    "systemd-net-min",
    "systemd-timesyncd",
    "rpi5",
    "image-rpios",
    "trixie-minbase",
}


def metadata(text: str) -> dict[str, str]:
    """Parse the block between the markers, and fail if it is not DEB822."""
    lines = text.split("# METABEGIN\n")[1].split("# METAEND\n", maxsplit=1)[0].splitlines()
    fields: dict[str, str] = {}
    last = ""
    for line in lines:
        assert line == "#" or line.startswith("# "), line
        content = line[2:]
        if content.startswith(" "):
            fields[last] += content
        elif content:
            found = re.fullmatch(r"(X-Env-[A-Za-z0-9-_]+):(?: (.*))?", content)
            assert found, line
            last = found[1]
            assert last not in fields, f"{last} twice"
            fields[last] = found[2] or ""
    return fields


def variables(fields: dict[str, str]) -> set[str]:
    return {name.removeprefix("X-Env-Var-") for name in fields if re.fullmatch(r"X-Env-Var-[a-z0-9_]+", name)}


@pytest.mark.parametrize("path", LAYERS, ids=lambda path: path.name)
def test_the_metadata_is_of_the_grammar(path):
    fields = metadata(path.read_text())
    assert fields["X-Env-Layer-Name"] == path.stem
    assert re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", fields["X-Env-Layer-Version"])
    assert {name.removeprefix("X-Env-Layer-") for name in fields if name.startswith("X-Env-Layer-")} <= ATTRIBUTES
    assert set(fields["X-Env-Layer-Requires"].split(",")) <= KNOWN_LAYERS


@pytest.mark.parametrize("path", LAYERS, ids=lambda path: path.name)
def test_each_property_is_of_a_declared_variable_and_each_variable_in_use_is_declared(path):
    fields = metadata(path.read_text())
    declared = variables(fields)
    assert declared
    for name in (name for name in fields if name.startswith("X-Env-Var-")):
        variable, _, attribute = name.removeprefix("X-Env-Var-").partition("-")
        assert variable in declared, name
        assert attribute in PROPERTIES | {""}, name
    assert all(fields[f"X-Env-Var-{variable}-Set"] in POLICIES for variable in declared)
    used = set(re.findall(r"IGconf_(\w+)", path.read_text()))
    assert used == {f"{fields['X-Env-VarPrefix']}_{variable}" for variable in declared}


@pytest.mark.parametrize("path", LAYERS, ids=lambda path: path.name)
def test_the_body_is_what_bdebstrap_merges_and_its_hooks_are_sh(path):
    body = yaml.safe_load(path.read_text())
    assert set(body) == {"mmdebstrap"}
    assert set(body["mmdebstrap"]) <= {"packages"} | HOOKS
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", package) for package in body["mmdebstrap"]["packages"])
    hooks = [hook for name in HOOKS & set(body["mmdebstrap"]) for hook in body["mmdebstrap"][name]]
    assert hooks
    for hook in hooks:
        assert isinstance(hook, str)
        assert subprocess.run(["sh", "-n", "-c", hook], check=False).returncode == 0, hook


def test_the_hooks_install_with_the_installer_of_a_flashed_card(tmp_path):
    """Run the hooks with a fake chroot: the real one would need root and a whole system."""
    body = yaml.safe_load((FOLDER / "layer/edgevid.yaml").read_text())
    payload, root = tmp_path / "pay load", tmp_path / "ro ot"
    payload.mkdir()
    (root / "var/tmp").mkdir(parents=True)
    (payload / "install.sh").write_text('echo "installed below $EDGEVID_ROOT"\n')
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "chroot").write_text('#!/bin/sh\nroot=$1; shift\n[ "$1" = env ] && export "$2" && exec sh "$root$4"\n')
    (fake / "chroot").chmod(0o755)
    environment = {"PATH": f"{fake}:/usr/bin:/bin", "IGconf_edgevid_payload": str(payload)}
    output = ""
    for hook in body["mmdebstrap"]["customize-hooks"]:
        # mmdebstrap passes the root file system as the first argument. Source: mmdebstrap(1), HOOKS
        output += subprocess.run(
            ["sh", "-ec", hook, "hook", str(root)], capture_output=True, text=True, check=True, env=environment
        ).stdout
    assert output == "installed below /\n"
    assert list((root / "var/tmp").iterdir()) == []
    assert "EDGEVID_ROOT" in (boards_and_cameras.folder() / "boot/install.sh").read_text()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_configuration_names_layers_that_are_there(path):
    config = yaml.safe_load(path.read_text())
    ours = {layer.stem for layer in LAYERS}
    assert config["layer"]["app"] in ours
    assert {config["device"]["layer"], config["image"]["layer"], config["layer"]["base"]} <= KNOWN_LAYERS
    assert all(re.fullmatch(r"\d+[MG]", config["image"][name]) for name in ("boot_part_size", "root_part_size"))
    for prefix, values in config.items():
        if prefix in ours:
            assert set(values) <= variables(metadata((FOLDER / f"layer/{prefix}.yaml").read_text()))
