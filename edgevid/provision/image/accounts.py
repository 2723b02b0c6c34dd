"""The service's account in the user database of an image, as systemd-sysusers makes it."""

from __future__ import annotations

from edgevid.errors import FlashError
from edgevid.provision.image.tar_tree import Archive, Tree

NAME = "edgevid"
# Debian assigns system accounts from 100 upwards and systemd from 999 downwards, so 900 stays free.
# Source: Debian Policy, 9.2.2
NUMBER = 900
OWNER = (NUMBER, NUMBER)
# Members of Debian's group `shadow` may read the password files.
_SHADOW = 42


def add(tree: Tree, archive: Archive, *, groups: tuple[str, ...]) -> None:
    """Add the service's account.

    Args:
        tree: Receives the changed files.
        archive: The root file system as Debian left it.
        groups: Existing groups that the account joins.

    Raises:
        FlashError: The account's number is taken, or a group is missing.
    """
    users, members, passwords, secrets = (
        archive.read(f"etc/{name}").decode() for name in ("passwd", "group", "shadow", "gshadow")
    )
    if f":{NUMBER}:" in users or f":{NUMBER}:" in members:
        raise FlashError(
            expected=f"the number {NUMBER} to be free for the account {NAME}", got=NUMBER, found="another account on it"
        )
    missing = [name for name in groups if not any(line.startswith(f"{name}:") for line in members.splitlines())]
    if missing:
        raise FlashError(expected=f"the group {missing[0]} in the image", got=missing, found="none")
    tree.file(
        "etc/passwd", f"{users}{NAME}:x:{NUMBER}:{NUMBER}:edgevid classifier:/var/lib/edgevid:/usr/sbin/nologin\n"
    )
    tree.file("etc/group", f"{_with_member(members, groups)}{NAME}:x:{NUMBER}:\n")
    # A locked password: `!` in front of an impossible hash. Source: shadow(5)
    tree.file("etc/shadow", f"{passwords}{NAME}:!*:::::::\n", mode=0o640, owner=(0, _SHADOW))
    tree.file("etc/gshadow", f"{_with_member(secrets, groups)}{NAME}:!*::\n", mode=0o640, owner=(0, _SHADOW))


def _with_member(database: str, groups: tuple[str, ...]) -> str:
    """Add the account to the members of some groups, which are the last field of a line."""
    lines = []
    for line in database.splitlines():
        is_joined = line.partition(":")[0] in groups
        lines.append(f"{line}{'' if line.endswith(':') else ','}{NAME}" if is_joined else line)
    return "".join(f"{line}\n" for line in lines)
