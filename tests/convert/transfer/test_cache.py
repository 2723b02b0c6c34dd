import os
import time

import numpy as np
import pytest

from convert.transfer.cache import SUFFIX, FeatureCache, default_folder, key_of
from edgevid.errors import UsageError

ENTRY = {"features": np.arange(6, dtype=np.float16).reshape(2, 3), "labels": np.array(["wave", "none"])}


def test_an_entry_returns_as_it_was_written(tmp_path):
    cache = FeatureCache(tmp_path / "new")
    assert cache.read("k") is None
    cache.write("k", ENTRY)
    read = cache.read("k")
    assert read is not None
    for name, values in ENTRY.items():
        np.testing.assert_array_equal(read[name], values)
        assert read[name].dtype == values.dtype
    assert (cache.hits, cache.misses, cache.damaged) == (1, 1, 0)


@pytest.mark.parametrize("damage", ["cut", "altered", "empty"])
def test_a_damaged_entry_is_dropped_and_counted(tmp_path, damage):
    cache = FeatureCache(tmp_path)
    cache.write("k", ENTRY)
    path = tmp_path / f"k{SUFFIX}"
    whole = path.read_bytes()
    altered = whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]
    path.write_bytes({"cut": whole[: len(whole) // 2], "altered": altered, "empty": b""}[damage])
    assert cache.read("k") is None
    assert cache.damaged == 1
    assert not path.exists()


def test_the_entries_used_longest_ago_go_first(tmp_path):
    cache = FeatureCache(tmp_path)
    for number, name in enumerate("abc"):
        cache.write(name, ENTRY)
        os.utime(tmp_path / f"{name}{SUFFIX}", ns=(number, number))
    assert cache.read("a") is not None
    size = (tmp_path / f"a{SUFFIX}").stat().st_size
    cache.most_bytes = 2 * size
    assert cache.prune() == 1
    assert sorted(path.name[0] for path in tmp_path.iterdir()) == ["a", "c"]


def test_a_folder_that_cannot_be_written_is_a_wrong_option(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="--cache"):
        FeatureCache(tmp_path / "file" / "cache").write("k", ENTRY)


def test_keys_depend_on_each_fact_and_not_on_their_order():
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    assert key_of({"a": 1}) != key_of({"a": 2})


def test_the_usual_folder_is_that_of_the_desktop_standard(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "edgevid" / "features"
    # The standard says that a relative path is to be ignored.
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_folder().is_absolute()


def test_what_killed_runs_left_is_removed_and_what_is_being_written_stays(tmp_path):
    for name, age_s in (("old", 7200), ("young", 60)):
        leftover = tmp_path / f".{name}{SUFFIX}.abc"
        leftover.mkdir()
        (leftover / "half").write_bytes(b"half")
        os.utime(leftover, (time.time() - age_s,) * 2)
    cache = FeatureCache(tmp_path)
    cache.write("k", ENTRY)
    cache.prune()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".young{SUFFIX}.abc", f"k{SUFFIX}"]
