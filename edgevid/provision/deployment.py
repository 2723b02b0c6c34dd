"""The deployment file: the board, camera, bundle, logins, network and service limits of one device.

A deployment is a TOML file; `firmware_configs/deployments` has examples. Every check that needs no
card happens here, before anything is written.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import edgevid
from edgevid.boards_and_cameras import Board, Camera, board, camera
from edgevid.errors import DeploymentError
from edgevid.provision.network import Ethernet, Wifi
from edgevid.provision.releases import check_timezone, check_user
from edgevid.provision.secrets import check_password_hash, check_ssh_key, secret
from edgevid.schema import from_toml, read_toml

# One label of a host name as in RFC 1123, 2.1; user names as in useradd(8).
_HOSTNAME, _USER = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"), re.compile(r"[a-z_][a-z0-9_-]{0,30}")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
# The service's account, with its group.
_SERVICE_USER = "edgevid"
DEMO = "demo"
# The comment of the placeholder key in `firmware_configs/deployments`.
EXAMPLE_KEY_COMMENT = "replace@me"
# The classifier does not start below these limits.
_MIN_MEMORY_MIB, _MIN_CPU_PERCENT = 96, 20
# Raspberry Pi OS itself needs about this much.
_SYSTEM_MEMORY_MIB = 160


@dataclass(frozen=True, kw_only=True)
class User:
    """The account for people, with login by SSH key or at the console.

    Attributes:
        name: Account name; the user may use sudo.
        ssh_keys: Public keys, as in `~/.ssh/id_ed25519.pub`.
        password_hash: Output of `openssl passwd -6`, for the console; empty locks the password.
    """

    name: str = "pi"
    ssh_keys: tuple[str, ...] = ()
    password_hash: str = ""

    def __post_init__(self) -> None:
        """Reject an illegal account name, and an account without a login."""
        DeploymentError.unless(
            bool(_USER.fullmatch(self.name)) and self.name != _SERVICE_USER,
            expected="a user's name in small letters, none of the system's",
            got=self.name,
        )
        check_user(self.name)
        for key in self.ssh_keys:
            check_ssh_key(key)
        check_password_hash(self.password_hash)
        DeploymentError.unless(
            bool(self.ssh_keys or self.password_hash),
            expected="[user] with ssh_keys or a password_hash",
            found="neither, so nobody could log in",
        )


@dataclass(frozen=True, kw_only=True)
class Service:
    """The limits under which systemd runs the classifier.

    Attributes:
        memory_mib: Memory limit; systemd kills and restarts the service above it.
        cpu_percent: CPU limit in percent of one core, so 400 for four cores.
        watchdog_s: Longest time without a sign of life before a restart.
        restart_s: Pause before a restart.
        start_limit_s: Longest time from the start to the first frame.
        trial_s: How long the bundle of a card that is flashed again must answer before it is confirmed.
    """

    memory_mib: int = 256
    cpu_percent: int = 400
    watchdog_s: int = 30
    restart_s: int = 5
    start_limit_s: int = 120
    trial_s: int = 120

    def __post_init__(self) -> None:
        """Reject limits with which nothing runs."""
        longest_s = {"watchdog_s": 3600, "restart_s": 3600, "start_limit_s": 3600, "trial_s": 86_400}
        for name, longest in longest_s.items():
            value = getattr(self, name)
            DeploymentError.unless(1 <= value <= longest, expected=f"[service] {name} from 1 to {longest}", got=value)
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
    """Settings that limit the wear of the card.

    Attributes:
        journal: "volatile" keeps logs in memory, "persistent" on the card.
        journal_mib: Size limit of the journal.
        read_only_root: Whether an overlay in memory covers the root file system from the second boot on.
            Bundles persist.
    """

    journal: Literal["volatile", "persistent"] = "volatile"
    journal_mib: int = 32
    read_only_root: bool = False

    def __post_init__(self) -> None:
        """Reject a journal that fills the card, and a persistent one on a read-only root."""
        DeploymentError.unless(
            8 <= self.journal_mib <= 1024, expected="[card] journal_mib from 8 to 1024", got=self.journal_mib
        )
        DeploymentError.unless(
            not (self.journal == "persistent" and self.read_only_root),
            expected='[card] journal = "volatile" with read_only_root = true',
            got=self.journal,
            hint="Set read_only_root = false to keep the journal on the card.",
        )


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """The description of one device.

    Attributes:
        board: Name of a file in `firmware_configs/boards`.
        camera: Name of a file in `firmware_configs/cameras`.
        bundle: Path of a `.edgevid` file, relative to the deployment, or "demo" for the bundle inside edgevid.
        hostname: One label, as in RFC 1123.
        timezone: Name in the IANA database, such as "Europe/Zurich".
        user: The account for people.
        camera_port: Connector of the camera on a board with two, from 0.
        wifi: Wireless network; None for Ethernet only.
        ethernet: Address of the wired interface; None for DHCP.
        run: Options of `edgevid run`, without the leading dashes.
        environment: Variables of the service. A value "env:NAME" is replaced by the variable NAME when the
            card is flashed.
        service: Limits of the service.
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
    ethernet: Ethernet | None = None
    run: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    service: Service = field(default_factory=Service)
    card: Card = field(default_factory=Card)

    def __post_init__(self) -> None:
        """Reject illegal values, and values that cannot work together."""
        check_timezone(self.timezone, of=self.facts.releases, is_each=False)
        DeploymentError.unless(
            bool(_HOSTNAME.fullmatch(self.hostname)),
            expected="a hostname of small letters, digits and hyphens, at most 63",
            got=self.hostname,
        )
        _check_hardware(self)
        _check_limits(self.facts, self.service)
        for name, value in self.environment.items():
            DeploymentError.unless(
                bool(_VARIABLE.fullmatch(name)), expected="names of capital letters in [environment]", got=name
            )
            # The message leaves the value out: it may be a secret.
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

    def reject_example_key(self) -> None:
        """Reject a deployment whose only login is the placeholder key of the examples.

        Raises:
            DeploymentError: There is no other key and no password. Nobody has the secret half of the placeholder.
        """
        own_keys = [key for key in self.user.ssh_keys if not key.endswith(EXAMPLE_KEY_COMMENT)]
        DeploymentError.unless(
            bool(own_keys or self.user.password_hash),
            expected="your own key in [user] ssh_keys, the line of ~/.ssh/id_ed25519.pub",
            found=f"only the example's, with which nobody could log in ({EXAMPLE_KEY_COMMENT})",
        )

    def variables(self) -> dict[str, str]:
        """Resolve the service's variables, secrets included.

        Returns:
            Name to value.

        Raises:
            DeploymentError: A variable named by "env:NAME" is not set.
        """
        sources = {
            name: value.removeprefix("env:") for name, value in self.environment.items() if value.startswith("env:")
        }
        secrets = {name: secret(source, f"[environment] {name}") for name, source in sources.items()}
        return {**self.environment, **secrets}


def read(path: Path) -> Deployment:
    """Read a deployment.

    Args:
        path: The TOML file.

    Returns:
        The deployment, with the path of its bundle made absolute.

    Raises:
        UsageError: The file cannot be read.
        DeploymentError: A key or value is unknown, or values do not go together.
    """
    deployment = from_toml(Deployment, read_toml(path), path.name)
    demo = Path(edgevid.__file__).parent / "data/gestures.edgevid"
    bundle = demo if deployment.bundle == DEMO else path.parent / deployment.bundle
    return dataclasses.replace(deployment, bundle=str(bundle.resolve()))


def _check_hardware(deployment: Deployment) -> None:
    facts, optics, port = deployment.facts, deployment.optics, deployment.camera_port
    is_csi = optics.interface == "csi"
    DeploymentError.unless(
        not is_csi or facts.camera_ports > 0,
        expected=f"a USB camera for the board {facts.name!r}, which has no camera connector",
        got=optics.name,
    )
    if port is not None:
        DeploymentError.unless(
            is_csi,
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
        expected=f"no [wifi] for the board {facts.name!r}, which has no radio",
        found="one",
    )
    addresses = [each.address.partition("/")[0] for each in (deployment.wifi, deployment.ethernet) if each]
    DeploymentError.unless(
        len(addresses) < 2 or not addresses[0] or addresses[0] != addresses[1],
        expected="another address in [ethernet] than in [wifi]",
        got=addresses[0] if addresses else "",
    )


def _check_limits(facts: Board, service: Service) -> None:
    max_percent = facts.cores * 100
    DeploymentError.unless(
        service.cpu_percent <= max_percent,
        expected=f"[service] cpu_percent of at most {max_percent} on {facts.cores} cores",
        got=service.cpu_percent,
    )
    # The deployment does not say which memory size the board has, so the smallest one counts.
    max_mib = min(facts.ram_mib) - _SYSTEM_MEMORY_MIB
    DeploymentError.unless(
        service.memory_mib <= max_mib,
        expected=f"[service] memory_mib of at most {max_mib} on the board {facts.name!r}",
        got=service.memory_mib,
    )
