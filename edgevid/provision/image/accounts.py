"""The service's own account in the image's user database, as systemd-sysusers would make it at the first boot."""

from __future__ import annotations

from edgevid.errors import FlashError
from edgevid.provision.image.tar_tree import Archive, Tree

NAME = "edgevid"
# Free in Debian, which gives system accounts numbers from 100 up, and systemd from 999 down. Source: Debian Policy, 9.2.2
NUMBER = 900
OWNER = (NUMBER, NUMBER)
# Debian's `shadow` group reads the files with passwords.
_SHADOW = 42


def add(tree: Tree, archive: Archive, *, groups: tuple[str, ...]) -> None:
    """Add the account.

    Args:
        tree: Where the changed files go.
        archive: The root file system as Debian left it.
        groups: Groups of Debian that it joins.

    Raises:
        FlashError: Its number is taken, or a group is not there.
    """
    users, members, passwords, secrets = (
        archive.read(f"etc/{name}").decode() for name in ("passwd", "group", "shadow", "gshadow")
    )
    if f":{NUMBER}:" in users or f":{NUMBER}:" in members:
        raise FlashError(
            expected=f"the number {NUMBER} to be free for the account {NAME}", got=NUMBER, found="one that is taken"
        )
    missing = [name for name in groups if not any(line.startswith(f"{name}:") for line in members.splitlines())]
    if missing:
        raise FlashError(expected=f"the group {missing[0]} in the image", got=missing, found="none")
    tree.file(
        "etc/passwd", f"{users}{NAME}:x:{NUMBER}:{NUMBER}:edgevid classifier:/var/lib/edgevid:/usr/sbin/nologin\n"
    )
    tree.file("etc/group", f"{_joined(members, groups)}{NAME}:x:{NUMBER}:\n")
    tree.file("etc/shadow", f"{passwords}{NAME}:!*:::::::\n", mode=0o640, owner=(0, _SHADOW))
    tree.file("etc/gshadow", f"{_joined(secrets, groups)}{NAME}:!*::\n", mode=0o640, owner=(0, _SHADOW))


def _joined(database: str, groups: tuple[str, ...]) -> str:
    """Add the account to the last field of some lines."""
    lines = []
    for line in database.splitlines():
        is_joined = line.partition(":")[0] in groups
        lines.append(f"{line}{'' if line.endswith(':') else ','}{NAME}" if is_joined else line)
    return "".join(f"{line}\n" for line in lines)
