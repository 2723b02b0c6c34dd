import dataclasses
import re
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgevid
from edgevid.bundle import read, write
from edgevid.bundle.golden import Golden
from edgevid.errors import BundleAltered, BundleError, ManifestInvalid, UsageError
from edgevid.events.rule import DecisionRule
from tests.edgevid.bundle.attacks import REFUSALS
from tests.edgevid.bundle.forgery import VALUES, forged, golden_values, unzipped, zipped
from tests.models.bundles import (
    bundle_for,
    features_manifest,
    one_step_manifest,
    stack_manifest,
    started_manifest,
    stateful_manifest,
    tiny_bundle,
    twin_manifest,
    values_manifest,
    window_manifest,
)
from tests.repo.files import ROOT

DOCUMENT = ROOT / "docs" / "reference" / "bundle-format.md"
PLANS = {
    "window": window_manifest,
    "stateful": stateful_manifest,
    "one step": one_step_manifest,
    "initial states": started_manifest,
    "stack": stack_manifest,
    "features": features_manifest,
    "twin": twin_manifest,
    "values": values_manifest,
}
NO_SCORES = np.zeros((0, 3), np.float32)
ATTACKS = [
    pytest.param(refusal, attack, id=f"{name}: {how}")
    for name, refusal in REFUSALS.items()
    for how, attack in refusal.attacks.items()
]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "tiny.edgevid"
    write(tiny_bundle(), path)
    return path.read_bytes()


def read_bytes(data, tmp_path):
    path = tmp_path / "attacked.edgevid"
    path.write_bytes(data)
    return read(path)


@pytest.mark.parametrize("make", PLANS.values(), ids=PLANS)
def test_what_is_written_is_read_back(tmp_path, make):
    bundle = bundle_for(make())
    manifest = write(bundle, tmp_path / "a.edgevid")
    again = read(tmp_path / "a.edgevid")
    assert again.manifest == manifest
    assert dict(again.models) == dict(bundle.models)
    assert again.report == bundle.report
    assert again.path == tmp_path / "a.edgevid"
    assert again.golden.engine == bundle.golden.engine
    for name in ("frames", "scores", "float_scores"):
        assert np.array_equal(getattr(again.golden, name), getattr(bundle.golden, name))
    assert again.golden.values is bundle.golden.values is None or np.array_equal(
        again.golden.values, bundle.golden.values
    )


@pytest.mark.parametrize("with_proof", [True, False])
def test_initial_states_are_read_back_as_they_were_written(tmp_path, with_proof):
    write(bundle_for(started_manifest()), tmp_path / "a.edgevid")
    vector, count = read(tmp_path / "a.edgevid", with_proof=with_proof).initial_states
    assert (vector.dtype, vector.shape, count.dtype, count.shape) == (np.float32, (2, 7), np.int32, (1,))
    assert (vector == 1).all() and (count == 2).all()
    assert bundle_for(one_step_manifest()).initial_states == ()


def test_golden_vectors_may_leave_out_what_comes_beside_the_scores(tmp_path):
    whole = bundle_for(values_manifest())
    for values in (None, whole.golden.values):
        write(
            dataclasses.replace(whole, golden=dataclasses.replace(whole.golden, values=values)), tmp_path / "a.edgevid"
        )
        found = read(tmp_path / "a.edgevid").golden.values
        assert found is None if values is None else found.tobytes() == values.tobytes()
    assert read_bytes(golden_values(VALUES)(b""), tmp_path).golden.values.shape == (4, 5), (
        "the attacks on values begin with a good one"
    )


def test_labels_and_engines_may_be_in_any_script(tmp_path):
    labels = ("нет", "می‌رود", "👋🏽")
    bundle = bundle_for(window_manifest(labels=labels, name="жест", decision=DecisionRule()))
    write(bundle, tmp_path / "a.edgevid")
    assert read(tmp_path / "a.edgevid").manifest.labels == labels


@pytest.mark.parametrize("make", PLANS.values(), ids=PLANS)
def test_the_same_bundle_gives_the_same_bytes_whenever_and_however_often_it_is_written(tmp_path, monkeypatch, make):
    write(bundle_for(make()), tmp_path / "a.edgevid")
    monkeypatch.setattr(zipfile.time, "localtime", lambda *_: (2030, 1, 2, 3, 4, 6, 0, 0, 0))
    write(bundle_for(make()), tmp_path / "b.edgevid")
    write(read(tmp_path / "a.edgevid"), tmp_path / "c.edgevid")
    write(bundle_for(make(), models=dict(reversed(bundle_for(make()).models.items()))), tmp_path / "d.edgevid")
    assert len({(tmp_path / f"{name}.edgevid").read_bytes() for name in "abcd"}) == 1


def test_members_are_stored_so_that_any_zip_tool_shows_them(good, tmp_path):
    (tmp_path / "a.edgevid").write_bytes(good)
    with zipfile.ZipFile(tmp_path / "a.edgevid") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "manifest.json",
            "encoder.tflite",
            "golden.npz",
            "head.tflite",
            "labels.txt",
            "report.json",
        ]
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.parametrize("place", ["os.fsync", "zipfile.ZipFile.writestr", "os.replace"])
def test_a_crash_while_writing_leaves_the_old_bundle_and_nothing_else(tmp_path, monkeypatch, place):
    path = tmp_path / "a.edgevid"
    write(tiny_bundle(), path)
    before = path.read_bytes()

    def crash(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(place, crash)
    with pytest.raises(KeyboardInterrupt):
        write(tiny_bundle(report={"agreement": 0.5}), path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "changes",
    [
        {"report": {"agreement": float("nan")}},
        {"golden": Golden(np.zeros((3, 6, 8, 3), np.uint8), NO_SCORES, NO_SCORES, "fake")},
        {"models": {"encoder.tflite": b"only one part"}},
    ],
    ids=["a report with NaN", "golden vectors that prove nothing", "a part missing"],
)
def test_a_bundle_that_its_reader_would_refuse_is_never_put_in_place(tmp_path, changes):
    with pytest.raises(BundleError):
        write(tiny_bundle(**changes), tmp_path / "a.edgevid")
    assert list(tmp_path.iterdir()) == []


def test_a_written_bundle_can_be_read_by_everyone(tmp_path):
    write(tiny_bundle(), tmp_path / "a.edgevid")
    assert (tmp_path / "a.edgevid").stat().st_mode & 0o777 == 0o644


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path):
    for path in (tmp_path / "gone.edgevid", tmp_path):
        with pytest.raises(UsageError, match="got none at") as caught:
            read(path)
        assert caught.value.exit_code == 2


def test_a_file_that_may_not_be_read_is_a_usage_error(tmp_path, monkeypatch):
    (tmp_path / "a.edgevid").write_bytes(b"")

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UsageError, match=r"got .*a\.edgevid: Permission denied"):
        read(tmp_path / "a.edgevid")


def test_a_bundle_that_only_runs_reads_its_proof_when_it_is_used(good, tmp_path):
    path = tmp_path / "a.edgevid"
    path.write_bytes(good)
    whole, running = read(path), read(path, with_proof=False)
    assert not {"golden", "report"} & set(vars(running)), "neither was read"
    assert (running.manifest, running.models, running.report) == (whole.manifest, whole.models, whole.report)
    assert np.array_equal(running.golden.frames, whole.golden.frames)
    assert running.golden is running.golden, "read once"
    assert dataclasses.replace(running, report={"new": 1}).report == {"new": 1}


@pytest.mark.parametrize(("member", "attribute"), [("golden.npz", "golden"), ("report.json", "report")])
def test_a_damaged_proof_does_not_keep_a_model_from_running_and_is_rejected_when_it_is_used(
    good, tmp_path, member, attribute
):
    members = unzipped(good)
    path = tmp_path / "a.edgevid"
    path.write_bytes(zipped({**members, member: bytes(len(members[member]))}))
    running = read(path, with_proof=False)
    assert running.models == read_bytes(good, tmp_path).models
    with pytest.raises(BundleAltered, match="listed SHA-256"):
        getattr(running, attribute)
    for resized in (members[member] + b"0", members[member][:-1]):
        path.write_bytes(zipped({**members, member: resized}))
        with pytest.raises(BundleAltered, match=rf"Expected {member} with \d+ bytes"):
            read(path, with_proof=False)


def test_a_proof_is_never_that_of_another_bundle_that_took_the_place_of_the_file(good, tmp_path):
    path = tmp_path / "a.edgevid"
    path.write_bytes(good)
    running = read(path, with_proof=False)
    path.write_bytes(forged(report__json=b'{"of": "another"}')(good))
    with pytest.raises(BundleAltered):
        _ = running.report


def test_a_model_is_loaded_without_its_proof():
    pytest.importorskip("ai_edge_litert")
    model = edgevid.load(ROOT / "edgevid" / "data" / "gestures.edgevid")
    assert not {"golden", "report"} & set(vars(model.bundle))
    assert model.report, "and has it when it is asked for"


@pytest.mark.parametrize(("refusal", "attack"), ATTACKS)
def test_each_attack_meets_its_refusal(good, tmp_path, refusal, attack):
    with pytest.raises(BundleError) as caught:
        read_bytes(attack(good), tmp_path)
    message = str(caught.value)
    assert type(caught.value) is refusal.error, message
    assert re.search(refusal.pattern, message)
    assert caught.value.exit_code == 1
    assert "\n" not in message
    assert message.startswith("Expected ")


def test_a_report_of_32_levels_is_read(good, tmp_path):
    report = b'{"a":' + b"[" * 31 + b"1" + b"]" * 31 + b"}"
    assert read_bytes(forged(report__json=report)(good), tmp_path).report["a"]


@pytest.mark.parametrize("attack", REFUSALS["golden-oversized"].attacks.values())
def test_a_bomb_is_refused_before_it_is_unpacked(good, tmp_path, attack):
    path = tmp_path / "bomb.edgevid"
    path.write_bytes(attack(good))
    tracemalloc.start()
    try:
        with pytest.raises(ManifestInvalid):
            read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * path.stat().st_size + 2**20


@settings(max_examples=400)
@given(place=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255))
def test_a_flipped_bit_anywhere_is_refused_or_changes_nothing(good, tmp_path_factory, place, mask):
    bad = bytearray(good)
    bad[int(place * len(bad))] ^= mask
    assert_refused_or_equal(bytes(bad), good, tmp_path_factory.mktemp("flip"))


@pytest.mark.parametrize(("start", "length"), [(b"PK\x03\x04", 30), (b"PK\x01\x02", 46), (b"PK\x05\x06", 22)])
@pytest.mark.parametrize("value", [0x00, 0x01, 0x80, 0xFF])
def test_every_byte_of_the_archives_own_records_may_be_anything_without_a_crash(good, tmp_path, start, length, value):
    last = good.rindex(start)
    for place in range(last, last + length):
        assert_refused_or_equal(good[:place] + bytes([value]) + good[place + 1 :], good, tmp_path)


def assert_refused_or_equal(bad, good, folder):
    """Check that the reader rejects the bytes, or reads the content of the good bundle."""
    try:
        found = read_bytes(bad, folder)
    except BundleError as error:
        assert "\n" not in str(error)
        return
    wanted = read_bytes(good, folder)
    assert (found.manifest, dict(found.models), found.report) == (wanted.manifest, dict(wanted.models), wanted.report)
    assert np.array_equal(found.golden.frames, wanted.golden.frames)


def test_the_document_lists_the_refusals_that_are_tested_and_no_others():
    listed = dict(re.findall(r"^\| `([a-z-]+)` \| `(\w+)` \|", DOCUMENT.read_text(), flags=re.MULTILINE))
    assert listed == {name: refusal.error.__name__ for name, refusal in REFUSALS.items()}
