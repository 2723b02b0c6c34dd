"""The network interfaces of a device, as netplan and NetworkManager read them.

Trixie and our images read netplan's YAML through cloud-init; Bookworm reads a keyfile of NetworkManager.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Literal

from edgevid.errors import DeploymentError
from edgevid.provision.releases import check_country
from edgevid.provision.secrets import check_sae_password, secret, wifi_psk
from edgevid.provision.templates import fill, keyfile, shell, yaml

Security = Literal["open", "wpa2", "wpa2+wpa3", "wpa3"]
# WPA3's handshake (SAE) starts from the password itself; the derived key is of no use to it.
_WITH_SAE = ("wpa2+wpa3", "wpa3")
# key-mgmt and pmf (protected management frames: 2 optional, 3 required, 0 the default) of a keyfile.
# SAE requires them. Source: nm-settings(5), 802-11-wireless-security.
_KEYFILE_SECURITY = {"wpa2": ("wpa-psk", 0), "wpa2+wpa3": ("wpa-psk", 2), "wpa3": ("sae", 3)}
_MAX_SSID_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class Interface:
    """The address of a network interface.

    Attributes:
        address: IPv4 address with the length of its prefix, as "192.168.1.20/24"; empty for DHCP.
        gateway: Router for other networks.
        dns: Name servers.
    """

    address: str = ""
    gateway: str = ""
    dns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Reject an address with which the interface reaches nothing."""
        where = f"[{type(self).__name__.lower()}]"
        for server in self.dns:
            _ipv4(server, f"{where} dns")
        if not self.address:
            DeploymentError.unless(
                not (self.gateway or self.dns), expected=f"{where} address with gateway or dns", found="none"
            )
            return
        own = _own_address(self.address, where)
        if self.gateway:
            router = _ipv4(self.gateway, f"{where} gateway")
            DeploymentError.unless(
                router in own.network and router != own.ip,
                expected=f"{where} gateway as another address of {own.network}",
                got=self.gateway,
            )


@dataclass(frozen=True, kw_only=True)
class Ethernet(Interface):
    """The wired interface `eth0`."""


@dataclass(frozen=True, kw_only=True)
class Wifi(Interface):
    """A wireless network, joined by `wlan0`.

    Attributes:
        ssid: Network name, 1 to 32 bytes of UTF-8.
        country: ISO 3166-1 alpha-2 code of the regulatory domain.
        password: 8 to 63 characters, or the key of WPA2 as 64 hexadecimal digits.
        password_env: Environment variable to read the password from when the card is flashed.
        security: What the access point offers. None means "wpa2" with a password and "open" without.
            Networks with WPA3 need the password itself on the card.
        hidden: Whether the network does not announce its name.
    """

    ssid: str
    country: str
    # repr=False: no traceback or log may show a secret.
    password: str = field(default="", repr=False)
    password_env: str = ""
    security: Security | None = None
    hidden: bool = False

    def __post_init__(self) -> None:
        """Reject a network that no radio can join."""
        super().__post_init__()
        DeploymentError.unless(
            1 <= len(self.ssid.encode()) <= _MAX_SSID_BYTES and not any(map(_is_control, self.ssid)),
            expected=f"[wifi] ssid of 1 to {_MAX_SSID_BYTES} bytes in one line",
            got=self.ssid,
        )
        check_country(self.country)
        has_password = bool(self.password or self.password_env)
        DeploymentError.unless(
            not (self.password and self.password_env),
            expected="[wifi] password or password_env, not both",
            found="both",
        )
        DeploymentError.unless(
            self.security is None or has_password == (self.security != "open"),
            expected='[wifi] password or password_env, unless security is "open"',
            found=f"{'one' if has_password else 'none'} with security = {self.security!r}",
        )

    @property
    def kind(self) -> Security:
        """The security in effect."""
        return self.security or ("wpa2" if self.password or self.password_env else "open")

    @property
    def needs_password_on_card(self) -> bool:
        """Whether the card holds the password itself, and not a key derived from it."""
        return self.kind in _WITH_SAE

    def key(self) -> str:
        """Return the secret of the network, derived from the password where that suffices.

        Returns:
            64 hexadecimal digits for WPA2, the password for WPA3; empty for an open network.

        Raises:
            DeploymentError: The password has an illegal length, or its variable is not set.
        """
        if self.kind == "open":
            return ""
        password = secret(self.password_env, "[wifi] password_env") if self.password_env else self.password
        if self.needs_password_on_card:
            check_sae_password(password)
            return password
        return wifi_psk(self.ssid, password)


def network_config(ethernet: Ethernet | None, wifi: Wifi | None) -> str:
    """Render the interfaces for cloud-init and netplan."""
    return fill(
        "cloud-init/network-config",
        ethernet=_netplan_address(ethernet or Ethernet()),
        wifi="" if wifi is None else _netplan_wifi(wifi).rstrip("\n"),
    )


def connections(ethernet: Ethernet | None, wifi: Wifi | None) -> tuple[str, str]:
    """Render the commands of firstrun.sh that write NetworkManager's keyfiles.

    Returns:
        The commands for the wired interface and for Wi-Fi; empty where NetworkManager's own defaults suffice.
    """
    wired = "" if ethernet is None else fill("firstrun/ethernet", ipv4=_keyfile_address(ethernet)).rstrip("\n")
    return wired, "" if wifi is None else _keyfile_wifi(wifi).rstrip("\n")


def _netplan_wifi(wifi: Wifi) -> str:
    key, indent = yaml(wifi.key()), " " * 10
    # A password outside of `auth:` makes netplan offer WPA2 and WPA3. Netplan before 1.0 knows no
    # "sae" at all. Source: github.com/canonical/netplan, src/parse.c, src/types.c.
    lines = {
        "open": "",
        "wpa2": f"{indent}auth: {{key-management: psk, password: {key}}}",
        "wpa2+wpa3": f"{indent}password: {key}",
        "wpa3": f"{indent}auth: {{key-management: sae, password: {key}}}",
    }
    return fill(
        "cloud-init/wifi",
        address=_netplan_address(wifi),
        country=yaml(wifi.country),
        ssid=yaml(wifi.ssid),
        hidden=yaml(wifi.hidden),
        password=lines[wifi.kind],
    )


def _netplan_address(interface: Interface) -> str:
    indent = " " * 6
    if not interface.address:
        return f"{indent}dhcp4: true"
    lines = ["dhcp4: false", f"addresses: {yaml([interface.address])}"]
    lines += [f"routes: [{{to: default, via: {yaml(interface.gateway)}}}]"] if interface.gateway else []
    lines += [f"nameservers: {{addresses: {yaml(interface.dns)}}}"] if interface.dns else []
    return "\n".join(f"{indent}{line}" for line in lines)


def _keyfile_wifi(wifi: Wifi) -> str:
    security = ""
    if wifi.kind != "open":
        management, pmf = _KEYFILE_SECURITY[wifi.kind]
        security = f"\n[wifi-security]\nkey-mgmt={management}\npmf={pmf}\npsk={keyfile(wifi.key())}\n"
    return fill(
        "firstrun/wifi",
        country=shell(wifi.country),
        # A keyfile accepts any SSID as a list of bytes, and needs no quoting then.
        # Source: nm-settings-keyfile(5), "ssid".
        ssid="".join(f"{byte};" for byte in wifi.ssid.encode()),
        hidden=yaml(wifi.hidden),
        security=security,
        ipv4=_keyfile_address(wifi),
    )


def _keyfile_address(interface: Interface) -> str:
    if not interface.address:
        return "method=auto"
    gateway = f",{interface.gateway}" if interface.gateway else ""
    dns = f"\ndns={''.join(f'{server};' for server in interface.dns)}" if interface.dns else ""
    return f"method=manual\naddress1={interface.address}{gateway}{dns}"


def _own_address(text: str, where: str) -> ipaddress.IPv4Interface:
    expected = f"{where} address as an IPv4 address and the length of its prefix, such as 192.168.1.20/24"
    try:
        own = ipaddress.IPv4Interface(text)
    except ValueError as error:
        raise DeploymentError(expected=expected, got=text) from error
    network = own.network
    is_host = network.num_addresses <= 2 or own.ip not in (network.network_address, network.broadcast_address)
    # IPv4Interface also takes a netmask, and no prefix at all as /32.
    is_plain = text == own.with_prefixlen and network.prefixlen > 0
    DeploymentError.unless(is_plain and is_host and _is_unicast(own.ip), expected=expected, got=text)
    return own


def _ipv4(text: str, what: str) -> ipaddress.IPv4Address:
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError as error:
        raise DeploymentError(expected=f"{what} as an IPv4 address, such as 192.168.1.1", got=text) from error
    DeploymentError.unless(_is_unicast(address), expected=f"{what} as the address of one machine", got=text)
    return address


def _is_unicast(address: ipaddress.IPv4Address) -> bool:
    return not (address.is_multicast or address.is_unspecified or address.is_loopback or address.is_reserved)


def _is_control(character: str) -> bool:
    """Return whether a character ends a line or moves a terminal's cursor.

    Joiners and tags of emoji are not printable for Python, but legal in a name.
    """
    return character < " " or "\x7f" <= character <= "\x9f" or character in "\u2028\u2029"
