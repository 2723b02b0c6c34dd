"""Checks and derivation of keys, password hashes and passwords.

No error message of this module contains a secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re

from edgevid.errors import DeploymentError

# The types that OpenSSH 9 (Bookworm) accepts for login. Source: sshd_config(5), PubkeyAcceptedAlgorithms.
KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
# Number of fields in the blob of a key; 3 for the types that are not listed.
_FIELDS = {"ssh-ed25519": 2, "ssh-rsa": 3, "sk-ecdsa-sha2-nistp256@openssh.com": 4}
# Above RequiredRSASize of sshd_config(5), whose default of 1024 bits is too weak.
_MIN_RSA_BITS = 2048
# crypt(5): yescrypt, SHA-512, SHA-256, bcrypt.
_HASH = re.compile(r"\$(y|6|5|2[aby])\$[./A-Za-z0-9=,$]+")
_HEX_KEY = re.compile(r"[0-9a-fA-F]{64}")
# IEEE 802.11-2020, J.4.1: 4096 rounds, 256 bits.
_PSK_ROUNDS, _PSK_BYTES = 4096, 32


def check_ssh_key(line: str) -> None:
    """Reject a line that sshd would ignore.

    Args:
        line: A line of `authorized_keys`, without options.

    Raises:
        DeploymentError: The line is not a public key. The message does not contain the line.

    Source: RFC 4253, 6.6, for the blob: length-prefixed fields, of which the first is the type.
    """
    parts = line.split(None, 2)
    # First: a later message could repeat a part of a private key.
    if "PRIVATE KEY" in line:
        raise DeploymentError(
            expected="public keys in ssh_keys",
            found="a private one",
            hint="Keep it secret, and copy the line of its .pub file.",
        )
    if len(parts) < 2 or parts[0] not in KEY_TYPES or not line.isprintable():
        # Show the first word only if it looks like a type: it may be anything, even a password.
        kind = parts[0][:24] if parts and "-" in parts[0] else "something else"
        raise DeploymentError(
            expected=f"a line as in id_ed25519.pub in ssh_keys, of a type of {', '.join(KEY_TYPES)}", got=kind
        )
    fields = _blob_fields(parts[1])
    if not fields or fields[0] != parts[0].encode() or len(fields) != _FIELDS.get(parts[0], 3):
        raise DeploymentError(
            expected=f"a whole {parts[0]} key in ssh_keys",
            got=parts[0],
            found="a damaged one",
            hint="Copy the line of the .pub file again.",
        )
    if parts[0] == "ssh-rsa" and int.from_bytes(fields[2], "big").bit_length() < _MIN_RSA_BITS:
        raise DeploymentError(
            expected=f"an RSA key of at least {_MIN_RSA_BITS} bits in ssh_keys",
            found="a shorter one",
            hint="Run: ssh-keygen -t ed25519",
        )


def check_password_hash(text: str) -> None:
    """Reject a password in clear, which must not reach a card.

    Args:
        text: A hash as in /etc/shadow; empty for none.

    Raises:
        DeploymentError: The text is not a hash. The message does not contain the text.
    """
    if text and not _HASH.fullmatch(text):
        raise DeploymentError(
            expected="password_hash as `openssl passwd -6` prints it",
            found="something else, which is not repeated here",
        )


def secret(variable: str, purpose: str) -> str:
    """Read a secret from an environment variable.

    Args:
        variable: Name of the variable.
        purpose: The setting that needs it, for the error message.

    Returns:
        The value.

    Raises:
        DeploymentError: The variable is not set, or has several lines.
    """
    value = os.environ.get(variable, "")
    if not value or not value.isprintable():
        raise DeploymentError(
            expected=f"the variable {variable} for {purpose}, of one line",
            found="none",
            hint=f"Run: export {variable}=...",
        )
    return value


def wifi_psk(ssid: str, password: str) -> str:
    """Derive the key of a network from its password, as wpa_passphrase does.

    Args:
        ssid: Name of the network.
        password: 8 to 63 printable ASCII characters, or the key itself in 64 hexadecimal digits.

    Returns:
        64 hexadecimal digits.

    Raises:
        DeploymentError: The password is neither. The message does not contain the password.

    Source: IEEE 802.11-2020, J.4.1: PBKDF2 with HMAC-SHA-1 over the SSID.
    """
    if _HEX_KEY.fullmatch(password):
        return password.lower()
    if not (8 <= len(password) <= 63 and password.isascii() and password.isprintable()):
        raise DeploymentError(
            expected="a Wi-Fi password of 8 to 63 ASCII characters, or a key of 64 hexadecimal digits", found="neither"
        )
    return hashlib.pbkdf2_hmac("sha1", password.encode(), ssid.encode(), _PSK_ROUNDS, _PSK_BYTES).hex()


def check_sae_password(password: str) -> None:
    """Reject a password that WPA3 cannot use.

    Args:
        password: 8 to 63 printable ASCII characters.

    Raises:
        DeploymentError: It is a derived key, or has another length. The message does not contain it.
    """
    DeploymentError.unless(
        8 <= len(password) <= 63 and password.isascii() and password.isprintable(),
        expected="a Wi-Fi password of 8 to 63 ASCII characters for a network with WPA3",
        found="a derived key, from which WPA3 cannot start" if _HEX_KEY.fullmatch(password) else "another",
    )


def _blob_fields(text: str) -> list[bytes]:
    """Split the blob of a key into its fields; empty if the blob does not end with the last field."""
    try:
        blob = base64.b64decode(text, validate=True)
    except binascii.Error:
        return []
    fields = []
    while len(blob) >= 4:
        size = int.from_bytes(blob[:4], "big")
        fields.append(blob[4 : 4 + size])
        # A truncated field leaves one byte, which marks the blob as damaged below.
        blob = blob[4 + size :] if len(blob) >= 4 + size else b"?"
    return fields if not blob else []
