"""Write what each release of Raspberry Pi OS already has: accounts, groups, time zones and country codes.

    python scripts/release_tables.py

Reads Debian's packages, installs nothing, and needs apt-get and dpkg-deb. Run it after a point release.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "firmware_configs/releases"
RELEASES = ("bookworm", "trixie")
# Packages of Raspberry Pi OS and of our image that bring accounts or groups, besides base-passwd.
# Source: github.com/RPi-Distro/pi-gen, stage0 to stage2, and firmware_configs/image.
ACCOUNTS = (
    "avahi-daemon bluez chrony colord cron-daemon-common cups-daemon dbus-system-bus-common dnsmasq-base geoclue-2.0"
    " libsane1 lightdm man-db network-manager nfs-common openssh-client openssh-server plocate polkitd pulseaudio"
    " rpcbind rtkit sane-utils sudo systemd systemd-resolved systemd-timesyncd tpm-udev udev usbmuxd uuid-runtime"
    " wpasupplicant"
).split()
TABLES = ("base-passwd", "tzdata", "iso-codes")
# Raspberry Pi's own packages, which Debian's archive does not have: raspberrypi-sys-mods makes the
# first groups, userconf-pi the account that it renames.
RASPBERRY_GROUPS, RASPBERRY_USERS = ("gpio", "i2c", "spi"), ("rpi-first-boot-wizard",)
MAKES_ACCOUNT = re.compile(r"\b(adduser|addgroup|useradd|groupadd)\s+([^\n;|&)]*)")
NAME, ASSIGNED = (
    re.compile(r"[a-z_][a-z0-9_-]*"),
    re.compile(r"^\s*(\w+)=[\"']?([a-z_][a-z0-9_-]*)[\"']?$", re.MULTILINE),
)
# Options of these programs that are followed by a value.
VALUED = (
    "--home --shell --gecos --comment --ingroup --uid --gid --firstuid --lastuid -d -g -s -u -c -G --home-dir".split()
)
HEADING = """\
# What {release} already has, so that a deployment cannot ask for it or for what is missing.
# Written by scripts/release_tables.py.
"""


def main() -> None:
    """Write a table for each release."""
    FOLDER.mkdir(exist_ok=True)
    for release in RELEASES:
        with tempfile.TemporaryDirectory() as folder:
            versions = unpack(release, Path(folder))
            (FOLDER / f"{release}.toml").write_text(render(release, Path(folder), versions))


def unpack(release: str, folder: Path) -> dict[str, str]:
    """Download packages into `folder` and unpack each below its name.

    Returns:
        Package to version.
    """
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (folder / "sources.list").write_text(f"deb [signed-by={keyring}] {mirror()} {release} main\n")
    settings = {
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": folder / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": folder,
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", "-qq", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]
    subprocess.run([*apt, "update"], check=True)
    subprocess.run([*apt, "download", *TABLES, *ACCOUNTS], cwd=folder / "archives", check=True)
    versions = {}
    for archive in sorted((folder / "archives").glob("*.deb")):
        fields = subprocess.run(
            ["dpkg-deb", "--show", "--showformat=${Package} ${Version}", archive],
            capture_output=True,
            text=True,
            check=True,
        )
        package, version = fields.stdout.split()
        versions[package] = version
        subprocess.run(["dpkg-deb", "--raw-extract", archive, folder / package], check=True)
    return versions


def mirror() -> str:
    """Return the Debian mirror of this machine."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return next((uri for uri in found if "security" not in uri), "http://deb.debian.org/debian")


def render(release: str, folder: Path, versions: dict[str, str]) -> str:
    """Render the table of a release as TOML."""
    users, groups = set(RASPBERRY_USERS), set(RASPBERRY_GROUPS)
    for kind, name in accounts(folder):
        (users if kind == "user" else groups).add(name)
    template = (ROOT / "firmware_configs/cloud-init/user-data").read_text()
    groups |= {name.strip() for name in re.findall(r"groups: \[(.*)\]", template)[0].split(",")}
    countries = json.loads((folder / "iso-codes/usr/share/iso-codes/json/iso_3166-1.json").read_text())["3166-1"]
    columns = {
        "users": sorted(users),
        "groups": sorted(groups),
        "countries": sorted(country["alpha_2"] for country in countries),
        "zones": sorted(zones(folder / "tzdata/usr/share/zoneinfo")),
    }
    packages = {name: f"{name} {versions[name]}" for name in TABLES}
    others = ", ".join(f"{name} {versions[name]}" for name in ACCOUNTS)
    made = "raspberrypi-sys-mods and userconf-pi of github.com/RPi-Distro for gpio, i2c, spi and rpi-first-boot-wizard"
    sources = {
        "users": f"{packages['base-passwd']}; sysusers.d and maintainer scripts of {others}; {made}",
        "groups": "as users, and firmware_configs/cloud-init/user-data",
        "countries": f"{packages['iso-codes']}, iso_3166-1.json",
        "zones": f"{packages['tzdata']}, /usr/share/zoneinfo",
    }
    body = "".join(f"{name} = [\n{wrap(values)}\n]\n" for name, values in columns.items())
    lines = "".join(f"{name} = {json.dumps(text)}\n" for name, text in sources.items())
    return f"{HEADING.format(release=release)}{body}\n[sources]\n{lines}"


def accounts(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the kind and the name of each account and group of the packages."""
    for kind, name in (("user", "passwd"), ("group", "group")):
        master = (folder / f"base-passwd/usr/share/base-passwd/{name}.master").read_text()
        yield from ((kind, line.partition(":")[0]) for line in master.splitlines())
    for path in folder.glob("*/usr/lib/sysusers.d/*.conf"):
        for line in path.read_text().splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0].rstrip("!") in ("u", "g"):
                yield "user" if words[0].startswith("u") else "group", words[1]
                yield "group", words[1]
    for script in folder.glob("*/DEBIAN/*inst"):
        yield from scripted(script.read_text(errors="replace").replace("\\\n", " "))


def scripted(text: str) -> Iterator[tuple[str, str]]:
    """Yield the kinds and names that a maintainer script makes."""
    for variable, value in ASSIGNED.findall(text):
        text = re.sub(rf"\$\{{?{variable}\b\}}?", value, text)
    for program, arguments in MAKES_ACCOUNT.findall(text):
        words = split(arguments)
        names = [
            word
            for before, word in zip(["", *words], words, strict=False)
            if before not in VALUED and NAME.fullmatch(word)
        ]
        if names and program in ("adduser", "useradd"):
            yield "user", names[0]
        # `adduser --system --group NAME` makes both.
        if names and (program in ("addgroup", "groupadd") or "--group" in words):
            yield "group", names[0]


def split(arguments: str) -> list[str]:
    """Split the arguments of a command, up to a redirection."""
    try:
        words = shlex.split(arguments)
    except ValueError:  # a quote that another line closes
        words = arguments.split()
    return [word for word in words if ">" not in word]


def zones(folder: Path) -> Iterator[str]:
    """Yield the names of the zones in a folder of compiled ones."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        # The two subfolders hold each zone again. TZif is the magic of RFC 8536.
        if path.is_file() and not name.startswith(("posix/", "right/")) and path.read_bytes()[:4] == b"TZif":
            yield name


def wrap(values: list[str]) -> str:
    """Break an array of texts into lines."""
    text = ", ".join(json.dumps(value) for value in values)
    return textwrap.fill(f"{text},", 118, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(__doc__)
    main()
