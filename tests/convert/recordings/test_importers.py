"""Truth from other tools: the same recordings as from a table of events, or one line that says why not."""

import json

import pytest

pytest.importorskip("cv2")

from convert.recordings import ImportOptions, TrueEvent, import_truth, read_truth
from edgevid.errors import TruthError, UsageError
from tests.clips.videos import write_numbered
from tests.convert.recordings.test_truth import streams


def file(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def events(path, root, **options):
    """The events of each recording, by its name in the folder."""
    truth = import_truth(path, folder=root, options=ImportOptions(**options))
    return {
        each.path.relative_to(root).as_posix(): [(event.label, event.start_s, event.end_s) for event in each.events]
        for each in truth.recordings
    }


def refusal(path, root, error=TruthError, **options):
    with pytest.raises(error) as caught:
        import_truth(path, folder=root, options=ImportOptions(**options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def activitynet(folder, **videos):
    return file(folder, "activity_net.json", json.dumps({"version": "VERSION 1.3", "database": videos}))


def annotated(*segments, subset="validation"):
    annotations = [{"segment": [start, end], "label": label} for label, start, end in segments]
    return {"duration": 30.0, "subset": subset, "resolution": "320x240", "url": "", "annotations": annotations}


def test_json_of_activitynet_names_videos_with_or_without_their_prefix_at_any_depth(tmp_path):
    root = streams(tmp_path, "a1-B.mp4", "train/v_xy.webm", "quiet.mkv")
    path = activitynet(
        tmp_path,
        **{"a1-B": annotated(("Long jump", 1.5, 3), ("Javelin throw", 4, 6.25)), "xy": annotated(("Long jump", 0, 2))},
        quiet=annotated(),
        gone=annotated(("Long jump", 1, 2)),
    )
    assert events(path, root) == {
        "a1-B.mp4": [("Long jump", 1.5, 3.0), ("Javelin throw", 4.0, 6.25)],
        "quiet.mkv": [],
        "train/v_xy.webm": [("Long jump", 0.0, 2.0)],
    }
    assert import_truth(path, folder=root).notes == ("1 videos of activity_net.json are not there",)


def test_an_empty_list_of_a_secret_test_set_does_not_say_that_nothing_happens(tmp_path):
    root = streams(tmp_path, "a.mp4", "b.mp4")
    path = activitynet(tmp_path, a=annotated(("jump", 1, 2)), b=annotated(subset="testing"))
    assert "none of b.mp4" in refusal(path, root)
    assert "1 videos of activity_net.json are of the test set and have no annotations" in str(
        import_truth(path, folder=root, options=ImportOptions(rest_is_empty=True)).notes
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "Expected a JSON file of ActivityNet"),
        ('{"database": {}}', "Expected a JSON file of ActivityNet"),
        ("{", "which cannot be read: Expecting property name"),
        ("[" * 100_000, "which cannot be read"),
        ('{"database": {"a": []}}', "no list of annotations for 'a' of x.json"),
        ('{"database": {"a": {"annotations": [{"segment": [1]}]}}}', "another form of annotation 1 of 'a' of x.json"),
        ('{"database": {"a": {"annotations": [{"segment": [1, 1e999], "label": "b"}]}}}', "got 1 and inf for 'b'"),
        (f'{{"database": {{"a": {{"annotations": [{{"segment": [1, {10**400}], "label": "b"}}]}}}}}}', "1 and inf"),
        ('{"database": {"b": {}}}', "Expected videos, got none of the 1 of x.json in"),
    ],
)
def test_json_of_another_form_is_refused(tmp_path, content, message):
    assert message in refusal(file(tmp_path, "x.json", content), streams(tmp_path, "a.mp4"))


def test_overlapping_annotations_are_refused_by_their_place_and_one_of_the_labels_can_be_left_out(tmp_path):
    root = streams(tmp_path, "a.mp4", "b.mp4")
    path = activitynet(tmp_path, a=annotated(("CliffDiving", 1, 3), ("Diving", 1, 3.5)), b=annotated(("Diving", 1, 2)))
    message = refusal(path, root)
    assert (
        "'CliffDiving' 1-3 s in annotation 1 of 'a' of activity_net.json and 'Diving' 1-3.5 s in annotation" in message
    )
    assert events(path, root, omit=("Diving",)) == {"a.mp4": [("CliffDiving", 1.0, 3.0)], "b.mp4": []}
    assert events(path, root, omit=("CliffDiving",), rename={"Diving": "dive"}) == {
        "a.mp4": [("dive", 1.0, 3.5)],
        "b.mp4": [("dive", 1.0, 2.0)],
    }
    assert "a label of activity_net.json, one of CliffDiving, Diving, got 'diving'" in refusal(
        path, root, UsageError, omit=("diving",)
    )
    assert "got 'x'" in refusal(path, root, UsageError, rename={"x": "y"})


def test_the_lists_of_thumos_hold_one_class_each(tmp_path):
    root = streams(tmp_path, "video_validation_0000266.mp4", "video_validation_0000001.mp4")
    lists = tmp_path / "annotation"
    lists.mkdir()
    file(lists, "BaseballPitch_val.txt", "video_validation_0000266  72.8 76.4\nvideo_validation_0000266 3 4\n")
    file(lists, "Billiards_val.txt", "video_validation_0000001 1.1 2.2\nvideo_validation_0000940 1 2\n")
    file(lists, "Ambiguous_val.txt", "video_validation_0000266  10 11\n")
    assert events(lists, root) == {
        "video_validation_0000001.mp4": [("Billiards", 1.1, 2.2)],
        "video_validation_0000266.mp4": [("BaseballPitch", 3.0, 4.0), ("BaseballPitch", 72.8, 76.4)],
    }
    assert import_truth(lists, folder=root).notes == (
        "the segments of Ambiguous_val.txt are left out: they count as background",
        "1 videos of Billiards_val.txt are not there",
    )
    file(lists, "Billiards_val.txt", "video_validation_0000001 1.1\n")
    assert "got 'video_validation_0000001 1.1' in line 1 of Billiards_val.txt" in refusal(lists, root)


def test_a_label_track_of_audacity_is_that_of_the_video_with_its_name(tmp_path):
    root = streams(tmp_path, "day_1.mp4", "quiet.avi", "last_test.mp4")
    labels = tmp_path / "labels"
    labels.mkdir()
    text = "1.000000\t2.500000\twave to me\n\\\t100.0\t200.0\n4\t4.5\tjump\n"
    file(labels, "day_1.txt", text)
    file(labels, "quiet.txt", "")
    file(labels, "last_test.txt", "1\t2\twave to me")
    assert events(labels, root) == {
        "day_1.mp4": [("wave to me", 1.0, 2.5), ("jump", 4.0, 4.5)],
        "last_test.mp4": [("wave to me", 1.0, 2.0)],
        "quiet.avi": [],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 wave", "got '1 2 wave' in line 1 of a.txt. Export the labels again."),
        ("1\t2\twave\n1,5\t2\tjump", "got '1,5\\t2\\tjump' in line 2 of a.txt"),
        ("1\t2\t", "Expected a name for each label, got none in line 1 of a.txt"),
        ("1\t2", "Expected a name for each label, got none in line 1 of a.txt"),
        ("-1\t2\twave", "0 <= start_s < end_s in seconds, got -1 and 2 for 'wave' of a.mp4 in line 1 of a.txt"),
        (
            "3\t3\twave",
            "Expected events with a length, got a point at 3 s in line 1 of a.txt. Choose the length of all",
        ),
    ],
)
def test_a_label_that_is_no_event_is_refused_with_its_line(tmp_path, text, message):
    assert message in refusal(file(tmp_path, "a.txt", text), streams(tmp_path, "a.mp4"))


def test_a_point_becomes_an_event_of_the_chosen_length(tmp_path):
    root = streams(tmp_path, "a.mp4")
    path = file(tmp_path, "a.txt", "3.1\t3.1\twave\n")
    assert events(path, root, point_s=0.5) == {"a.mp4": [("wave", 3.1, 3.6)]}
    for length_s in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="a length of points above 0 s"):
            ImportOptions(point_s=length_s)


def test_a_file_whose_video_is_missing_or_not_the_only_one_is_refused(tmp_path):
    root = streams(tmp_path, "day1.mp4", "x/day1.avi", "y.mp4")
    assert "one video for 'day1' in day1.txt, got day1.mp4 and x/day1.avi. Rename one" in refusal(
        file(tmp_path, "day1.txt", "1\t2\twave"), root
    )
    assert "got 'days1' in days1.txt. Did you mean" in refusal(file(tmp_path, "days1.txt", "1\t2\twave"), root)
    assert "got 'hall' in hall.txt. Name its folder with --streams." in refusal(
        file(tmp_path, "hall.txt", "1\t2\twave"), root
    )


EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2026-03-01T10:00:00+01:00" FORMAT="3.0" VERSION="3.0"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">
    <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
        <MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/films/My%20videos/day%201.mp4" MIME_TYPE="video/mp4"
            RELATIVE_MEDIA_URL="./day%201.mp4"/>
        <MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/day.wav" MIME_TYPE="audio/x-wav" TIME_ORIGIN="40"/>
        <PROPERTY NAME="lastUsedAnnotationId">4</PROPERTY>
    </HEADER>
    <TIME_ORDER>
        <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="780"/>
        <TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="1590"/>
        <TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="2000"/>
        <TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="2500"/>
        <TIME_SLOT TIME_SLOT_ID="ts5"/>
    </TIME_ORDER>
    <TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="empty"/>
    <TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="actions">
        <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
            <ANNOTATION_VALUE>wave &amp; smile</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
        <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts3" TIME_SLOT_REF2="ts4">
            <ANNOTATION_VALUE>jump</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
    </TIER>
    MORE
    <LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="default-lt" TIME_ALIGNABLE="true"/>
</ANNOTATION_DOCUMENT>
"""
KINDS = """<TIER LINGUISTIC_TYPE_REF="ref" PARENT_REF="actions" TIER_ID="kind">
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a3" ANNOTATION_REF="a2">
        <ANNOTATION_VALUE>leap</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION></TIER>"""


def eaf(folder, more="", *, replace=("", "")):
    return file(folder, "notes.eaf", EAF.replace("MORE", more).replace(*replace))


def test_annotations_of_elan_are_events_of_the_video_that_they_name(tmp_path):
    root = streams(tmp_path, "2026/day 1.mp4")
    assert events(eaf(tmp_path), root) == {"2026/day 1.mp4": [("wave & smile", 0.78, 1.59), ("jump", 2.0, 2.5)]}


def test_of_several_tiers_of_elan_those_that_are_events_are_named(tmp_path):
    root = streams(tmp_path, "day 1.mp4")
    path = eaf(tmp_path, KINDS)
    assert "one of actions, kind, got none. Name each one, such as: edgevid truth --tier 'actions'." in refusal(
        path, root, UsageError
    )
    assert events(path, root, tiers=("kind",)) == {"day 1.mp4": [("leap", 2.0, 2.5)]}
    assert "one of empty, actions, kind, got 'Kind'" in refusal(path, root, UsageError, tiers=("Kind",))
    assert events(path, root, tiers=("empty",)) == {"day 1.mp4": []}


@pytest.mark.parametrize(
    ("replace", "message"),
    [
        (("", ""), ""),
        (
            ('TIME_SLOT_REF2="ts4"', 'TIME_SLOT_REF2="ts5"'),
            "got None in annotation a2 of tier 'actions' in notes.eaf. Align",
        ),
        (('TIME_SLOT_REF2="ts4"', 'TIME_SLOT_REF2="ts9"'), "a time for the begin and the end of each annotation"),
        (('TIME_VALUE="2500"', 'TIME_VALUE="soon"'), "got 'soon' in annotation a2"),
        (('TIME_VALUE="2500"', 'TIME_VALUE="1900"'), "got 2 and 1.9 for 'jump' of day 1.mp4 in annotation a2 of"),
        ((">jump<", "> <"), "Expected a text for each annotation, got none in annotation a2"),
        (('"milliseconds"', '"PAL-frames"'), "Expected times in milliseconds in"),
        (('RELATIVE_MEDIA_URL="./day%201.mp4"', 'TIME_ORIGIN="1500"'), "a video without an offset, got 1500 ms for"),
        (("ANNOTATION_DOCUMENT", "annotations"), "with the root <ANNOTATION_DOCUMENT>, got <annotations> in"),
        (("</ANNOTATION_DOCUMENT>", ""), "which cannot be read: no element found"),
        (('encoding="UTF-8"', 'encoding="none"'), "which cannot be read: unknown encoding"),
        (("<ANNOTATION_DOCUMENT", "<!DOCTYPE a><ANNOTATION_DOCUMENT"), "it declares a document type"),
    ],
)
def test_a_file_of_elan_that_is_wrong_is_refused(tmp_path, replace, message):
    root = streams(tmp_path, "day 1.mp4")
    path = eaf(tmp_path, replace=replace)
    assert not message or message in refusal(path, root)


def test_references_of_elan_that_lead_nowhere_end(tmp_path):
    root = streams(tmp_path, "day 1.mp4")
    for target in ("a3", "a9"):
        more = KINDS.replace('ANNOTATION_REF="a2"', f'ANNOTATION_REF="{target}"')
        assert f"an annotation to refer to, got '{target}'" in refusal(eaf(tmp_path, more), root, tiers=("kind",))


@pytest.mark.parametrize("name", ["x.eaf", "x.xml"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_no_xml_file_expands_entities_or_reads_another_file(tmp_path, name, encoding):
    laughs = "".join(f'<!ENTITY l{level + 1} "{f"&l{level};" * 10}">' for level in range(9))
    root = "ANNOTATION_DOCUMENT" if name == "x.eaf" else "annotations"
    for inner in (f'<!ENTITY l0 "ha">{laughs}', '<!ENTITY l9 SYSTEM "file:///etc/passwd">'):
        text = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE {root} [{inner}]><{root}>&l9;</{root}>'
        (tmp_path / name).write_bytes(text.encode(encoding))
        assert "it declares a document type" in refusal(tmp_path / name, streams(tmp_path, "x.mp4"))


def test_xml_that_is_nested_too_deeply_is_refused(tmp_path):
    text = "<annotations>" + "<a>" * 100_000
    assert "more than 64 deep" in refusal(file(tmp_path, "x.xml", text), streams(tmp_path, "x.mp4"))


OLD_BORIS = """Observation id,observation #1,,,,,,,
,,,,,,,,
Media file(s),,,,,,,,
Player #1,day.mp4,,,,,,,
Time offset (s),0.0,,,,,,,
variable,value,,,,,,,
,,,,,,,,
Time,Media file path,Total length,FPS,Subject,Behavior,Behavioral category,Comment,Status
3.300,C:\\films\\day.mp4,359.960,25.0,ann,groom,,,START
4.000,C:\\films\\day.mp4,359.960,25.0,bob,eat,,,START
7.750,C:\\films\\day.mp4,359.960,25.0,ann,groom,,,STOP
8.000,C:\\films\\day.mp4,359.960,25.0,,peck,,,POINT
"""
NEW_BORIS = (
    "Observation id\tObservation date\tObservation type\tSource\tTime offset (s)\tSubject\tBehavior\tModifier #1\t"
    "Behavior type\tTime\tMedia file name\tImage index\tComment\n"
    "one\t2026-01-02\tMedia file(s)\tplayer #1:day.mp4\t0\tNo focal subject\tgroom\tNA\tSTART\t3.3\t/m/day.mp4\t1\t\n"
    "one\t2026-01-02\tMedia file(s)\tplayer #1:day.mp4\t0\tNo focal subject\tgroom\tNA\tSTOP\t7.75\t/m/day.mp4\t2\t\n"
)
AGGREGATED = (
    "Observation id,Observation date,Description,Media file,Total length,FPS,Subject,Behavior,Behavioral category,"
    "Modifiers,Behavior type,Start (s),Stop (s),Duration (s),Comment start,Comment stop\n"
    "one,2026-01-02 03:04:05,,T:/films/day.mp4,1381.010,29.97,No focal subject,groom,,,STATE,3.300,7.750,4.450,,\n"
    "one,2026-01-02 03:04:05,,T:/films/day.mp4,1381.010,29.97,No focal subject,peck,,,POINT,8,8,0,,\n"
)


def test_tabular_events_of_boris_are_paired_for_each_subject(tmp_path):
    root = streams(tmp_path, "day.mp4")
    text = OLD_BORIS + "8.5,day.mp4,359.960,25.0,bob,eat,,,STOP\n"
    path = file(tmp_path, "one.csv", text.replace("4.000,", "8.300,"))
    assert events(path, root, point_s=0.25) == {
        "day.mp4": [("groom", 3.3, 7.75), ("peck", 8.0, 8.25), ("eat", 8.3, 8.5)]
    }
    assert "got a point at 8 s in line 12 of one.csv" in refusal(path, root)
    assert "events that do not overlap, got 'groom' 3.3-7.75 s" in refusal(
        file(tmp_path, "one.csv", text), root, point_s=0.25
    )
    assert "Expected a STOP for each START, got none for 'eat' at 8.3 s in line 10 of one.csv." in refusal(
        file(tmp_path, "one.csv", OLD_BORIS.replace("4.000,", "8.300,")), root, point_s=0.25
    )


def test_one_behavior_of_two_subjects_overlaps_and_is_not_mixed_up(tmp_path):
    rows = [(1, "ann", "START"), (2, "bob", "START"), (3, "ann", "STOP"), (4, "bob", "STOP")]
    text = "Time,Media file name,Subject,Behavior,Status\n" + "".join(
        f"{time_s},day.mp4,{subject},groom,{status}\n" for time_s, subject, status in rows
    )
    message = refusal(file(tmp_path, "one.csv", text), streams(tmp_path, "day.mp4"))
    assert "got 'groom' 1-3 s in line 4 of one.csv and 'groom' 2-4 s in line 5 of one.csv" in message


def test_a_name_with_its_suffix_is_that_file_also_next_to_one_without(tmp_path):
    root = streams(tmp_path, "day.mp4", "day.avi")
    path = file(tmp_path, "one.tsv", NEW_BORIS)
    assert events(path, root, rest_is_empty=True) == {"day.avi": [], "day.mp4": [("groom", 3.3, 7.75)]}


def test_the_features_of_a_video_that_is_not_there_are_its_recording(tmp_path):
    path = file(tmp_path, "one.tsv", NEW_BORIS)
    root = streams(tmp_path, "day.npy", "night.npy")
    assert events(path, root, rest_is_empty=True) == {"day.npy": [("groom", 3.3, 7.75)], "night.npy": []}
    # The features beside a video are no other recording.
    root = streams(tmp_path, "day.mp4", "day.npy")
    assert events(path, root, rest_is_empty=True) == {"day.mp4": [("groom", 3.3, 7.75)]}


def test_newer_and_aggregated_events_of_boris_are_the_same_events(tmp_path):
    root = streams(tmp_path, "day.mp4")
    assert events(file(tmp_path, "one.tsv", NEW_BORIS), root) == {"day.mp4": [("groom", 3.3, 7.75)]}
    path = file(tmp_path, "all.csv", AGGREGATED)
    assert events(path, root, point_s=0.25) == {"day.mp4": [("groom", 3.3, 7.75), ("peck", 8.0, 8.25)]}
    assert "got a point at 8 s in line 3 of all.csv" in refusal(path, root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (NEW_BORIS.replace("day.mp4\t0\t", "day.mp4\t2.5\t"), "events without a time offset, got '2.5' in line 2 of"),
        (OLD_BORIS.replace("(s),0.0", "(s),3.0"), "events without a time offset, got '3.0' in line 5 of"),
        (
            NEW_BORIS.replace("/m/day.mp4", "/m/day.mp4;/m/two.mp4"),
            "one media file for each event, got '/m/day.mp4;/m/two",
        ),
        (NEW_BORIS.replace("STOP", "START"), "Expected a STOP for each START, got none for 'groom' at 3.3 s in line 2"),
        (NEW_BORIS.replace("START", "STOP"), "Expected a START for each STOP, got none for 'groom' at 3.3 s in line 2"),
        (NEW_BORIS.replace("START", "BEGIN"), "a status, one of START, STOP, POINT, got 'BEGIN' in line 2"),
        (NEW_BORIS.replace("\t3.3\t", "\t00:00:03.3\t"), "Time in seconds, got '00:00:03.3' in line 2"),
        (NEW_BORIS.replace("\tgroom\t", "\t\t"), "a behavior in each row, got none in line 2"),
        (NEW_BORIS.partition("\n")[0], "Export the events of at least one observation."),
        ("a\tb\n1\t2\n", "Expected events of BORIS, with the columns Behavior"),
        ("Behavior\tTime\tStatus\n", "a column with the media file, got none in line 1"),
        ("Behavior\tTime\tSource\n", "a column Status or Behavior type, got none in line 1"),
        ("Behavior\tStart (s)\tSource\n", "the column Stop (s), got none in line 1"),
    ],
)
def test_an_export_of_boris_that_is_wrong_is_refused_with_its_line(tmp_path, text, message):
    assert message in refusal(file(tmp_path, "one.tsv", text), streams(tmp_path, "day.mp4"))


def observation(*coded, files=("/films/day.mp4",), **more):
    return {"type": "MEDIA", "file": {"1": list(files), "2": []}, "time offset": 0.0, "events": list(coded), **more}


def boris(folder, **observations):
    kinds = {"0": {"type": "Point event", "code": "p"}, "1": {"type": "State event", "code": "s"}}
    content = {"project_format_version": "7.0", "behaviors_conf": kinds, "observations": observations}
    return file(folder, "project.boris", json.dumps(content))


def test_a_project_of_boris_toggles_states_and_leaves_observations_without_video_out(tmp_path):
    root = streams(tmp_path, "day.mp4", "night.mp4", "quiet.mp4")
    path = boris(
        tmp_path,
        one=observation([3.3, "", "s", "", ""], [7.75, "", "s", "", ""], [8, "", "p", "", "", "NA"]),
        two=observation([9, "ann", "s", "", ""], [9.5, "ann", "s", "", ""], files=["night.mp4"]),
        three=observation(files=["quiet.mp4"]),
        four={"type": "LIVE", "file": [], "events": [[1, "", "s", "", ""]]},
    )
    assert events(path, root, point_s=1) == {
        "day.mp4": [("s", 3.3, 7.75), ("p", 8.0, 9.0)],
        "night.mp4": [("s", 9.0, 9.5)],
        "quiet.mp4": [],
    }
    truth = import_truth(path, folder=root, options=ImportOptions(point_s=1))
    assert truth.notes == ("1 observations of project.boris have no video",)


@pytest.mark.parametrize(
    ("coded", "message"),
    [
        (observation([1, "", "s", "", ""]), "none for 's' at 1 s in the event at 1 s in observation 'one' of"),
        (observation(files=["a.mp4", "b.mp4"]), "one video for observation 'one' of project.boris, got 2. Code each"),
        (observation(**{"time offset": 2.0}), "no time offset, got 2.0 s in observation 'one'"),
        (observation(["1", "", "s"]), "time, subject and behavior in each event"),
        (observation([1]), "time, subject and behavior in each event"),
    ],
)
def test_a_project_of_boris_that_is_wrong_is_refused(tmp_path, coded, message):
    assert message in refusal(boris(tmp_path, one=coded), streams(tmp_path, "day.mp4"))


@pytest.mark.parametrize("text", ["{", "[]", '{"observations": {}, "behaviors_conf": {}}', "[" * 100_000])
def test_a_file_that_is_no_project_of_boris_is_refused(tmp_path, text):
    assert "Expected a project of BORIS, got" in refusal(file(tmp_path, "x.boris", text), streams(tmp_path, "day.mp4"))


def cvat(folder, *inner, task="<source>day.mp4</source>", name="annotations.xml"):
    meta = f"<meta><task><id>1</id><size>60</size><mode>interpolation</mode>{task}</task></meta>"
    return file(folder, name, f"<annotations><version>1.1</version>{meta}{''.join(inner)}</annotations>")


def track(*shapes, label="wave"):
    boxes = "".join(
        f'<box frame="{frame}" keyframe="1" outside="{outside}" occluded="0" xtl="1" ytl="1" xbr="9" ybr="9">'
        f'<attribute name="action">{action}</attribute></box>'
        for frame, outside, action in shapes
    )
    return f'<track id="0" label="{label}" source="manual">{boxes}</track>'


def test_tracks_of_cvat_last_until_their_object_leaves_by_the_times_of_the_frames(tmp_path):
    root = tmp_path / "streams"
    write_numbered(root / "day.mp4", count=60, fps=20)
    first = track((5, 0, "sit"), (6, 0, "sit"), (12, 0, "stand"), (20, 1, "stand"), (30, 0, "sit"), (59, 0, "sit"))
    path = cvat(tmp_path, first)
    assert events(path, root) == {"day.mp4": [("wave", 0.25, 1.0), ("wave", 1.5, 3.0)]}
    assert events(path, root, attribute="action") == {
        "day.mp4": [("sit", 0.25, 0.6), ("stand", 0.6, 1.0), ("sit", 1.5, 3.0)]
    }
    assert events(cvat(tmp_path), root) == {"day.mp4": []}
    assert "events that do not overlap" in refusal(cvat(tmp_path, first, track((7, 0, ""), (8, 1, ""))), root)
    assert "Expected frames 0 to 59 of" in refusal(cvat(tmp_path, track((50, 0, ""), (60, 0, ""))), root)
    assert "a frame number in track 0 of annotations.xml, got '-1'" in refusal(cvat(tmp_path, track((-1, 0, ""))), root)


def test_runs_of_tags_of_cvat_are_events_also_in_a_task_with_a_step(tmp_path):
    root = tmp_path / "streams"
    write_numbered(root / "day.mp4", count=60, fps=20)
    tag = '<tag label="wave" source="manual"></tag>'

    def images(*frames, inner=tag):
        return "".join(
            f'<image id="{frame}" name="frame_{frame:06d}" width="64" height="48">{inner}</image>' for frame in frames
        )

    path = cvat(tmp_path, images(10, 11, 12, 20), images(13, inner=""))
    assert events(path, root) == {"day.mp4": [("wave", 0.5, 0.65), ("wave", 1.0, 1.05)]}
    stepped = "<frame_filter>step=5</frame_filter><source>day.mp4</source>"
    assert events(cvat(tmp_path, images(10, 15, 30), task=stepped), root) == {
        "day.mp4": [("wave", 0.5, 1.0), ("wave", 1.5, 1.75)]
    }


def test_annotations_of_cvat_without_a_source_are_of_the_video_with_their_name(tmp_path):
    root = tmp_path / "streams"
    write_numbered(root / "day.avi", count=20, fps=20)
    inner = track((0, 0, ""), (10, 1, ""))
    assert events(cvat(tmp_path, inner, task="", name="day.xml"), root) == {"day.avi": [("wave", 0.0, 0.5)]}
    both = "<source>day.avi</source><source>b.mp4</source>"
    assert "Expected one video in" in refusal(cvat(tmp_path, inner, task=both), root)
    (root / "broken.mp4").write_bytes(b"no video")
    assert "a video file that OpenCV can read" in refusal(
        cvat(tmp_path, inner, task="<source>broken.mp4</source>"), root
    )


def test_truth_of_other_tools_is_read_wherever_a_table_of_events_is(tmp_path):
    root = streams(tmp_path, "a.mp4")
    (recording,) = read_truth(file(tmp_path, "a.txt", "1\t2\twave"), folder=root)
    assert recording.events == (TrueEvent("wave", 1.0, 2.0),)


def test_a_folder_holds_files_of_one_format(tmp_path):
    root = streams(tmp_path, "a.mp4")
    labels = tmp_path / "labels"
    labels.mkdir()
    assert "Expected files of one format, one of .csv, .tsv" in refusal(labels, root)
    file(labels, "a.txt", "1\t2\twave")
    file(labels, "b.eaf", EAF)
    assert "got .txt and .eaf in" in refusal(labels, root)
    assert "Expected truth in a file, one of .csv, .tsv, .boris, .json, .eaf, .xml, .txt, got" in refusal(
        file(tmp_path, "truth.toml", ""), root
    )
