import numpy as np
import pytest

pytest.importorskip("keras")

from convert import TrainOptions
from convert.clips import find_clips
from convert.encoders.frame_encoder import open_encoder, parse_encoder
from convert.progress import Silent
from convert.training.augment import Augmentation
from convert.transfer.cache import SUFFIX, FeatureCache
from convert.transfer.encoding.processes import EncodingJob, encode_in_processes
from convert.transfer.encoding.windows import WindowPlan, clip_digest, content_digest
from convert.transfer.library import ClipLibrary
from edgevid.bundle.manifest import Window
from edgevid.errors import ClipsError, UsageError
from tests.clips.moving import CLASSES, write_moving
from tests.convert.transfer.encoders import save_encoder

pytestmark = pytest.mark.tf
WINDOW = Window(frames=4, interval_s=0.1)


class Counted(Silent):
    """Progress that counts what is iterated over."""

    def __init__(self):
        self.bars = {}

    def track(self, items, text):
        self.bars[text] = len(items)
        return items


def keep_encoders(old, new):
    """Copy the converted encoders alone, as a conversion takes longer than all clips."""
    for path in old.folder.glob(f"*{SUFFIX}"):
        entry = old.read(path.stem)
        if "seen_frames" in entry:
            new.write(path.stem, entry)


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """Clips, one of them broken, read by one process and by two, each with a cache of its own."""
    root = tmp_path_factory.mktemp("processes")
    write_moving(root / "clips", 2)
    (root / "clips" / "left" / "ann_broken.avi").write_bytes(b"RIFF no video")
    encoder = open_encoder(parse_encoder(str(save_encoder(root / "encoder.keras"))), resize="stretch")
    plan = WindowPlan(window=WINDOW, input=encoder.input, augmentation=Augmentation(), windows=2, seed=0)
    found = {}
    for workers in (2, 1):
        cache, progress = FeatureCache(root / f"cache{workers}"), Counted()
        if found:
            keep_encoders(found[2][1], cache)
        library = ClipLibrary(encoder, plan, cache, progress=progress, workers=workers)
        encoded = library.read(find_clips(root / "clips"), ("frames",), classes=CLASSES)
        found[workers] = (encoded, cache, progress.bars, library)
    return root, found


def test_two_processes_give_the_features_of_one_to_the_last_bit(read):
    _, found = read
    (one, first, _, _), (two, second, _, _) = found[1], found[2]
    np.testing.assert_array_equal(one.bank.trained["frames"], two.bank.trained["frames"])
    np.testing.assert_array_equal(one.bank.centre["frames"], two.bank.centre["frames"])
    names = [sorted(path.name for path in cache.folder.glob(f"*{SUFFIX}")) for cache in (first, second)]
    assert names[0] == names[1]
    for name in names[0]:
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()


def test_what_the_processes_encoded_counts_as_encoded_and_shows_a_bar(read):
    _, found = read
    encoded, _, bars, _ = found[2]
    assert (encoded.cached, encoded.encoded) == (0, 6)
    assert bars["encoding clips, 2 at once"] == 7


def test_a_clip_that_cannot_be_read_is_named_with_processes_too(read):
    _, found = read
    skipped = [found[workers][0].clips.skipped for workers in (1, 2)]
    assert [path.name for path, _ in skipped[1]] == ["ann_broken.avi"]
    assert skipped[0] == skipped[1]


def test_no_process_is_started_for_clips_that_are_on_disk(read):
    root, found = read
    (_, _, bars, library) = found[2]
    bars.clear()
    # The broken clip alone is not on disk; one clip needs no second process.
    again = library.read(find_clips(root / "clips"), ("frames",), classes=CLASSES)
    assert (again.cached, again.encoded) == (6, 0)
    assert "encoding clips, 2 at once" not in bars


def test_a_process_that_ends_by_itself_is_one_clear_line(read, tmp_path):
    root, _ = read
    (ref, *_) = find_clips(root / "clips" / "still", group=lambda _path: "")
    # No process can open an encoder that is none.
    job = EncodingJob({}, None, tmp_path, {("frames", "int8"): None})
    with pytest.raises(ClipsError, match="one that ended by itself"):
        encode_in_processes(job, {ref: clip_digest(ref, content_digest(ref.path))}, workers=2, progress=Silent())


def test_workers_belong_to_a_frozen_encoder_and_are_counted_from_one():
    with pytest.raises(UsageError, match="--workers"):
        TrainOptions(workers=2).for_kind("frames")
    with pytest.raises(UsageError, match="at least 1"):
        TrainOptions(encoder="efficientnet-lite0", workers=0)
    assert TrainOptions(encoder="efficientnet-lite0", workers=2).workers == 2
