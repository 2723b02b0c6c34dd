"""What one device shall be: a board, a camera, a bundle, who may log in, and how the classifier runs. A TOML file, refused where it cannot work.

`firmware_configs/deployments` holds examples. Every check that needs no card is made here, before anything is written anywhere.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import edgevid
from edgevid.errors import DeploymentError
from edgevid.firmware import Board, Camera, board, camera
from edgevid.provision.secrets import check_password_hash, check_ssh_key, secret, wifi_psk
from edgevid.schema import from_toml, read_toml

# RFC 1123, 2.1, one label; user names as in useradd(8).
_HOSTNAME, _USER = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"), re.compile(r"[a-z_][a-z0-9_-]{0,30}")
_COUNTRY, _VARIABLE = re.compile(r"[A-Z]{2}"), re.compile(r"[A-Z_][A-Z0-9_]*")
# Its owner already has it, or Raspberry Pi OS takes it for the user it renames.
_RESERVED_USERS = ("root", "edgevid", "rpi-first-boot-wizard")
DEMO = "demo"
# How the key ends that the files in `firmware_configs/deployments` have in place of yours.
EXAMPLE_KEY_COMMENT = "replace@me"
_MIN_MEMORY_MIB, _MIN_CPU_PERCENT = 96, 20


@dataclass(frozen=True, kw_only=True)
class User:
    """Who may log in, by SSH key or at the console.

    Attributes:
        name: Of the account; may use sudo.
        ssh_keys: Public keys, as in `~/.ssh/id_ed25519.pub`.
        password_hash: What `openssl passwd -6` prints, for the console; none where empty.
    """

    name: str = "pi"
    ssh_keys: tuple[str, ...] = ()
    password_hash: str = ""

    def __post_init__(self) -> None:
        """Refuse an account that cannot be made, or that nobody can use."""
        DeploymentError.unless(
            bool(_USER.fullmatch(self.name)) and self.name not in _RESERVED_USERS,
            expected="a user's name in small letters, none of the system's",
            got=self.name,
        )
        for key in self.ssh_keys:
            check_ssh_key(key)
        check_password_hash(self.password_hash)
        DeploymentError.unless(
            bool(self.ssh_keys or self.password_hash),
            expected="[user] with ssh_keys or a password_hash: nobody could log in otherwise",
            found="none",
        )


@dataclass(frozen=True, kw_only=True)
class Wifi:
    """A wireless network.

    Attributes:
        ssid: Its name.
        country: ISO 3166-1 code, whose rules the radio keeps.
        password: 8 to 63 characters, or the 64 hexadecimal digits of a key; an open network where nothing is given.
        password_env: The variable to take it from instead, when the card is flashed.
        hidden: Whether the network does not announce its name.
    """

    ssid: str
    country: str
    password: str = field(default="", repr=False)
    password_env: str = ""
    hidden: bool = False

    def __post_init__(self) -> None:
        """Refuse what no radio takes."""
        DeploymentError.unless(
            1 <= len(self.ssid.encode()) <= 32 and self.ssid.isprintable(),
            expected="[wifi] ssid of 1 to 32 bytes in one line",
            got=self.ssid,
        )
        DeploymentError.unless(
            bool(_COUNTRY.fullmatch(self.country)),
            expected="[wifi] country as two capital letters, as CH or US",
            got=self.country,
        )
        DeploymentError.unless(
            not (self.password and self.password_env),
            expected="[wifi] password or password_env, not both",
            found="both",
        )

    def psk(self) -> str:
        """Derive the network's key; the password itself is on no card.

        Returns:
            64 hexadecimal digits; empty for an open network.

        Raises:
            DeploymentError: The password is of a wrong length, or its variable is not set.
        """
        password = secret(self.password_env, "[wifi] password_env") if self.password_env else self.password
        return wifi_psk(self.ssid, password) if password else ""


@dataclass(frozen=True, kw_only=True)
class Service:
    """How systemd runs the classifier.

    Attributes:
        memory_mib: What it may use; it is ended and started again above.
        cpu_percent: What it may use of one core's time, so 400 for four cores.
        watchdog_s: It is restarted where it gave no sign of life for this long.
        restart_s: Pause before it is started again.
        start_limit_s: Time it has from its start to its first frame.
        trial_s: Answers that a new bundle must give before it is confirmed.
    """

    memory_mib: int = 256
    cpu_percent: int = 400
    watchdog_s: int = 30
    restart_s: int = 5
    start_limit_s: int = 120
    trial_s: int = 120

    def __post_init__(self) -> None:
        """Refuse limits with which nothing runs."""
        for name in ("watchdog_s", "restart_s", "start_limit_s"):
            DeploymentError.unless(
                1 <= getattr(self, name) <= 3600, expected=f"[service] {name} from 1 to 3600", got=getattr(self, name)
            )
        DeploymentError.unless(
            self.memory_mib >= _MIN_MEMORY_MIB,
            expected=f"[service] memory_mib of at least {_MIN_MEMORY_MIB}",
            got=self.memory_mib,
        )
        DeploymentError.unless(
            self.cpu_percent >= _MIN_CPU_PERCENT,
            expected=f"[service] cpu_percent of at least {_MIN_CPU_PERCENT}",
            got=self.cpu_percent,
        )


@dataclass(frozen=True, kw_only=True)
class Card:
    """What wears the card out, and what protects it.

    Attributes:
        journal: Where logs are kept: in memory, or on the card.
        journal_mib: How much of them.
        read_only_root: Whether the root file system lies under an overlay in memory from the second start on; bundles are kept.
    """

    journal: Literal["volatile", "persistent"] = "volatile"
    journal_mib: int = 32
    read_only_root: bool = False

    def __post_init__(self) -> None:
        """Refuse a journal that fills the card, and one that could not stay."""
        DeploymentError.unless(
            8 <= self.journal_mib <= 1024, expected="[card] journal_mib from 8 to 1024", got=self.journal_mib
        )
        kept = self.journal == "persistent" and self.read_only_root
        DeploymentError.unless(
            not kept,
            expected='[card] journal = "volatile" where read_only_root is true: nothing is kept then',
            got=self.journal,
        )


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A whole deployment.

    Attributes:
        board: Name of a file in `firmware_configs/boards`.
        camera: Name of a file in `firmware_configs/cameras`.
        bundle: The `.edgevid` file, relative to the deployment's; or "demo", the gestures that ship with edgevid.
        hostname: Of the device.
        timezone: As in the IANA database, "Europe/Zurich".
        user: Who may log in.
        camera_port: Which connector the camera is on, where the board has two.
        wifi: The wireless network; none for Ethernet.
        run: Options of `edgevid run`, without the leading dashes.
        environment: Variables of the service; a value "env:NAME" is taken from the variable NAME when the card is flashed.
        service: Limits.
        card: Logs and wear.
    """

    board: str
    camera: str
    bundle: str
    hostname: str
    timezone: str
    user: User
    camera_port: int | None = None
    wifi: Wifi | None = None
    run: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    service: Service = field(default_factory=Service)
    card: Card = field(default_factory=Card)

    def __post_init__(self) -> None:
        """Refuse what cannot work together."""
        _refuse_timezone(self.timezone)
        DeploymentError.unless(
            bool(_HOSTNAME.fullmatch(self.hostname)),
            expected="a hostname of small letters, digits and hyphens, at most 63",
            got=self.hostname,
        )
        _refuse_mix(self.facts, self.optics, self)
        for name, value in self.environment.items():
            DeploymentError.unless(
                bool(_VARIABLE.fullmatch(name)), expected="names of capital letters in [environment]", got=name
            )
            DeploymentError.unless(
                value.isprintable(), expected=f"one line for {name} in [environment]", found="several"
            )

    @property
    def facts(self) -> Board:
        """The board."""
        return board(self.board)

    @property
    def optics(self) -> Camera:
        """The camera."""
        return camera(self.camera)

    def refuse_example(self) -> None:
        """Refuse an account that is only the example's, before a card is written for it.

        Raises:
            DeploymentError: The only way in is the key of the examples, whose secret half nobody has.
        """
        left = [key for key in self.user.ssh_keys if not key.endswith(EXAMPLE_KEY_COMMENT)]
        expected = "your own key in [user] ssh_keys, the line of ~/.ssh/id_ed25519.pub"
        DeploymentError.unless(
            bool(left or self.user.password_hash),
            expected=expected,
            found=f"the example's, with which nobody could log in ({EXAMPLE_KEY_COMMENT})",
        )

    def variables(self) -> dict[str, str]:
        """Give the service's variables, with secrets in place.

        Returns:
            Name to value.

        Raises:
            DeploymentError: A variable that shall be taken over is not set.
        """
        taken = {
            name: value.removeprefix("env:") for name, value in self.environment.items() if value.startswith("env:")
        }
        return {**self.environment, **{name: secret(source, f"[environment] {name}") for name, source in taken.items()}}


def read(path: Path) -> Deployment:
    """Read a deployment.

    Args:
        path: The TOML file.

    Returns:
        It, with the bundle's path made absolute.

    Raises:
        UsageError: It cannot be read.
        DeploymentError: It asks for what is unknown or does not go together; the message names what is legal.
    """
    found = from_toml(Deployment, read_toml(path), path.name)
    bundle = (
        Path(edgevid.__file__).parent / "data/gestures.edgevid" if found.bundle == DEMO else path.parent / found.bundle
    )
    return dataclasses.replace(found, bundle=str(bundle.resolve()))


def _refuse_mix(facts: Board, optics: Camera, deployment: Deployment) -> None:
    """What each is legal and together cannot be."""
    if optics.interface == "csi":
        DeploymentError.unless(
            facts.camera_ports > 0,
            expected=f"a USB camera for the board {facts.name!r}, which has no camera connector",
            got=optics.name,
        )
    port = deployment.camera_port
    if port is not None:
        DeploymentError.unless(
            optics.interface == "csi",
            expected=f"no camera_port for the camera {optics.name!r}, which is not on a connector",
            got=port,
        )
        DeploymentError.unless(
            0 <= port < facts.camera_ports,
            expected=f"a camera_port of the board {facts.name!r}, from 0 to {facts.camera_ports - 1}",
            got=port,
        )
    DeploymentError.unless(
        deployment.wifi is None or facts.wifi,
        expected=f"no [wifi] for the board {facts.name!r}, which has none",
        found="one",
    )
    most = facts.cores * 100
    DeploymentError.unless(
        deployment.service.cpu_percent <= most,
        expected=f"[service] cpu_percent of at most {most} on {facts.cores} cores",
        got=deployment.service.cpu_percent,
    )
    # The smallest of the board must start it, and Raspberry Pi OS itself needs about this much.
    most_mib = min(facts.ram_mib) - 160
    memory_mib = deployment.service.memory_mib
    DeploymentError.unless(
        memory_mib <= most_mib,
        expected=f"[service] memory_mib of at most {most_mib} on the board {facts.name!r}",
        got=memory_mib,
    )


def _refuse_timezone(name: str) -> None:
    """All 600 would be no help in a message."""
    known = zoneinfo.available_timezones()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=3) or ["Europe/Zurich", "America/New_York", "UTC"]
        raise DeploymentError(expected=f"a time zone of the IANA database, as {', '.join(close)}", got=name)
