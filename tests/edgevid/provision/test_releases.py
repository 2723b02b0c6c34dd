"""The accounts, countries and time zones of each release, and deployments that ask for the wrong ones."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import get_args

import pytest

from edgevid import boards_and_cameras, cli
from edgevid.boards_and_cameras import Release
from edgevid.errors import DeploymentError
from edgevid.provision import deployment, flash, raspberry_pi_os, target
from edgevid.provision.image import recipe
from edgevid.provision.releases import ReleaseTable, check_country, check_user, release_tables
from tests.edgevid.provision import official
from tests.edgevid.provision.deployments import table, write

COLUMNS = {
    "users": r"[a-z_][a-z0-9_-]*",
    "groups": r"[a-z_][a-z0-9_-]*",
    "countries": r"[A-Z]{2}",
    "zones": r"[A-Za-z0-9_+/-]+",
}
# The first release whose tzdata leaves old names to tzdata-legacy.
OLD_ZONE, NEW_ZONE = "US/Pacific", "America/Los_Angeles"


def test_each_release_has_a_table() -> None:
    assert set(release_tables()) == set(get_args(Release))


@pytest.mark.parametrize("release", get_args(Release))
@pytest.mark.parametrize("column", COLUMNS)
def test_each_column_of_a_release_is_sorted_and_names_its_package_and_version(release: str, column: str) -> None:
    rows = release_tables()[release]
    values = getattr(rows, column)
    assert list(values) == sorted(set(values))
    assert [value for value in values if not re.fullmatch(COLUMNS[column], value)] == []
    assert re.search(r"\w [\d.:]+\w|as users", rows.sources[column])
    assert set(rows.sources) == {item.name for item in dataclasses.fields(ReleaseTable)} - {"sources"}


@pytest.mark.parametrize("release", get_args(Release))
def test_a_release_has_what_every_debian_has_and_the_groups_of_user_data(release: str) -> None:
    rows = release_tables()[release]
    assert {"root", "nobody", "www-data", "messagebus", "sshd", "systemd-network", "avahi"} <= set(rows.users)
    assert {"operator", "staff", "sudo", "gpio"} <= set(rows.groups)
    template = (boards_and_cameras.folder() / "cloud-init/user-data").read_text()
    joined = re.findall(r"groups: \[(.*)\]", template)[0].split(", ")
    assert set(joined) <= set(rows.groups)
    assert len(rows.countries) == 249
    assert {"Europe/Zurich", "America/New_York", "UTC", "Etc/GMT+5"} <= set(rows.zones)


def test_every_account_and_group_of_a_release_is_refused_as_the_user() -> None:
    taken = {name for rows in release_tables().values() for name in (*rows.users, *rows.groups)}
    accepted = []
    for name in sorted(taken):
        try:
            check_user(name)
            accepted.append(name)
        except DeploymentError:
            pass
    assert accepted == []
    check_user("pi")


@pytest.mark.parametrize(("name", "kind"), [("operator", "a group"), ("backup", "an account"), ("gpio", "a group")])
def test_flash_refuses_a_user_that_the_system_already_has(
    name: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = tmp_path / "card"
    card.mkdir()
    assert cli.main(["flash", str(write(tmp_path, user={"name": name})), "--to", str(card), "--yes"]) == 2
    assert f"none of the system's, got '{name}', {kind} of bookworm. Choose another name" in capsys.readouterr().err
    assert list(card.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("UK", "Did you mean 'GB'?"),
        ("EL", "Did you mean 'GR'?"),
        ("ch", "Did you mean 'CH'?"),
        ("EU", ""),
        ("XX", ""),
        ("00", ""),
        ("Germany", ""),
    ],
)
def test_a_country_that_iso_3166_1_does_not_assign_is_refused_with_the_code_that_is_meant(code: str, hint: str) -> None:
    with pytest.raises(DeploymentError, match=r"ISO 3166-1, such as CH, GB or US, got") as caught:
        check_country(code)
    assert caught.value.hint == hint


def test_every_assigned_country_is_accepted() -> None:
    for rows in release_tables().values():
        for code in rows.countries:
            check_country(code)


def plan(folder: Path, kind: str, house: Path, *, zone: str, board: str = "4b") -> None:
    card = target.open_target(official.make_folder(folder / "bootfs", kind))
    device = deployment.read(write(folder, timezone=zone, board=board))
    with flash.plan(device, card, wheelhouse=house, lock=house / "lock.txt"):
        pass


def test_flash_refuses_a_time_zone_that_the_release_on_the_card_lacks(tmp_path: Path, house: Path) -> None:
    with pytest.raises(DeploymentError, match=r"got 'US/Pacific', which trixie lacks"):
        plan(tmp_path, "trixie", house, zone=OLD_ZONE)


def test_flash_accepts_a_time_zone_that_the_release_on_the_card_has(tmp_path: Path, house: Path) -> None:
    plan(tmp_path, "trixie", house, zone=NEW_ZONE)


def test_flash_refuses_a_time_zone_that_one_possible_release_lacks(tmp_path: Path, house: Path) -> None:
    """The boot partition alone does not tell Bookworm from the first Trixie."""
    with pytest.raises(DeploymentError, match="which trixie lacks"):
        plan(tmp_path, "bookworm", house, zone=OLD_ZONE)


def test_an_image_refuses_a_time_zone_that_its_release_lacks() -> None:
    made = deployment.from_toml(deployment.Deployment, table(timezone=OLD_ZONE), "device.toml")
    recipe.check(recipe.recipe("bookworm"), made)
    trixie = dataclasses.replace(recipe.recipe("bookworm"), suite="trixie")
    with pytest.raises(DeploymentError, match="which trixie lacks"):
        recipe.check(trixie, made)


def test_detection_reads_each_file_of_the_root_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    read = raspberry_pi_os.read_root

    def counted(disk: Path, root: object, path: str) -> bytes | None:
        asked.append(path)
        return read(disk, root, path)

    monkeypatch.setattr(raspberry_pi_os, "read_root", counted)
    card = target.open_target(official.make_image(tmp_path / "card.img", "bookworm"))
    raspberry_pi_os.detect(card, card.boot.files())
    assert sorted(asked) == sorted(set(asked))
    assert len(asked) == 2
