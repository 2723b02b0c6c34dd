"""The page that marks events, in a real browser with real keys and a real mouse."""

import subprocess
import sys

import pytest

from tests.browser import chromium, needs_chromium
from tests.convert.recordings.labelling.shown import Shown

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture
def shown(tmp_path):
    made = Shown(tmp_path)
    yield made
    made.close()


FRAME_S = 0.04


class Hand:
    """A person at the page."""

    def __init__(self, page):
        self.page = page
        self.is_at(0)

    def text(self, where):
        return self.page.run(f"document.querySelector({where!r}).textContent")

    def time_s(self):
        return float(self.text("#clock").removesuffix(" s"))

    def is_at(self, time_s):
        self.page.until(
            f"document.querySelector('#clock').textContent === '{time_s:.3f} s' && document.body.dataset.video"
        )

    def press(self, *keys, shift=False):
        for key in keys:
            self.page.press(key, shift=shift)

    def go(self, time_s):
        """Walk to a frame by keys: seconds, then single frames."""
        now, wanted = round(self.time_s() / FRAME_S), round(time_s / FRAME_S)
        while now != wanted:
            distance = wanted - now
            stride = min(abs(distance), 25) if abs(distance) >= 25 else 1
            self.press("ArrowRight" if distance > 0 else "ArrowLeft", shift=stride > 1)
            now += stride if distance > 0 else -stride
            self.is_at(now * FRAME_S)

    def mark(self, key, start_s, end_s):
        self.go(start_s)
        self.press(key)
        self.go(end_s)
        self.press(key)
        self.is_saved()

    def is_saved(self):
        self.page.until("document.querySelector('#link').textContent === 'saved'")

    def box(self, where):
        return self.page.run(
            f"(() => {{const b = document.querySelector({where!r}).getBoundingClientRect();"
            " return [b.left, b.top, b.width, b.height]})()"
        )

    def centre(self, where):
        left, top, width, height = self.box(where)
        return left + width / 2, top + height / 2

    def click(self, where):
        self.page.drag(self.centre(where))


@pytest.fixture
def hand(shown, browser):
    with browser.page(shown.address) as page:
        yield Hand(page)
        assert page.complaints == []
        assert all(shown.host in address for address in page.asked)


def test_keys_mark_the_frame_that_is_shown_and_each_change_is_on_the_disk(shown, hand):
    assert hand.page.run("location.search") == ""
    assert hand.text("#source") == "a.mp4 · events.csv"
    hand.mark("1", 1.0, 1.2)
    assert shown.rows() == ["a.mp4,wave,1,1.2"]
    assert hand.text("#label") == "no event"
    hand.press("ArrowLeft")
    hand.is_at(1.16)
    assert hand.text("#label") == "wave"
    hand.go(1.2)
    hand.press("2")
    assert hand.text("#label") == "jump …"
    hand.go(1.32)
    # The next label ends the one before.
    hand.press("1")
    hand.is_saved()
    assert shown.rows() == ["a.mp4,wave,1,1.2", "a.mp4,jump,1.2,1.32"]
    hand.press("Escape")
    assert hand.text("#label") == "no event"
    hand.press("p")
    hand.is_at(1.2)
    hand.press("Delete")
    hand.is_saved()
    assert shown.rows() == ["a.mp4,wave,1,1.2"]
    hand.press("u")
    hand.is_saved()
    assert shown.rows() == ["a.mp4,wave,1,1.2", "a.mp4,jump,1.2,1.32"]
    hand.press("U", shift=True)
    hand.is_saved()
    assert shown.rows() == ["a.mp4,wave,1,1.2"]


def test_marks_that_would_overlap_or_be_empty_say_why_not(shown, hand):
    hand.mark("1", 0.4, 0.8)
    hand.go(0.6)
    hand.press("2")
    assert "wave happens here already" in hand.text("#message")
    hand.go(0.2)
    hand.press("2", "2")
    assert "jump began at 0.200 s: go on to the first frame after it" in hand.text("#message")
    hand.go(1.0)
    hand.press("2")
    assert "jump would overlap wave at 0.400 s" in hand.text("#message")
    hand.go(0.4)
    hand.press("2")
    hand.is_saved()
    assert hand.page.run("document.querySelector('#message').hidden")
    assert shown.rows() == ["a.mp4,jump,0.2,0.4", "a.mp4,wave,0.4,0.8"]


def test_edges_move_by_keys_and_by_hand_and_stop_at_their_neighbours(shown, hand):
    hand.mark("1", 0.4, 0.8)
    hand.mark("2", 2.0, 2.4)
    # The last event is selected.
    hand.go(2.8)
    hand.press("]")
    hand.go(1.8)
    hand.press("[")
    hand.is_saved()
    assert shown.rows() == ["a.mp4,wave,0.4,0.8", "a.mp4,jump,1.8,2.8"]
    hand.go(0.6)
    hand.press("[")
    assert "The begin can be from 0.800 to 2.799 s." in hand.text("#message")
    left, top, width, height = hand.box("#strip")
    middle = top + height / 2

    def x(time_s):
        # The whole recording of 4 s is in the strip.
        return left + width * time_s / 4

    hand.page.drag((x(2.8) - 3, middle), (x(3.0), middle), (x(3.205), middle))
    hand.is_saved()
    hand.page.until("document.querySelectorAll('#events li')[1].textContent.includes('1.80 – 3.20')")
    assert shown.rows() == ["a.mp4,wave,0.4,0.8", "a.mp4,jump,1.8,3.2"]
    hand.page.drag((x(1.8) + 3, middle), (x(1.0), middle), (x(0.1), middle))
    hand.page.until("document.querySelectorAll('#events li')[1].textContent.includes('0.80 – 3.20')")
    hand.is_saved()
    assert shown.rows() == ["a.mp4,wave,0.4,0.8", "a.mp4,jump,0.8,3.2"]
    hand.press("u", "u")
    hand.is_saved()
    assert shown.rows() == ["a.mp4,wave,0.4,0.8", "a.mp4,jump,1.8,2.8"]


def test_an_edge_that_is_dragged_against_one_between_two_frames_stops_there(shown, browser):
    shown.close()
    shown.file.write_text("path,label,start_s,end_s\na.mp4,wave,0.4,0.81\na.mp4,jump,1.8,2.8\nb.avi,,,\n")
    shown.open()
    with browser.page(shown.address) as page:
        hand = Hand(page)
        left, top, width, height = hand.box("#strip")
        page.drag(
            (left + width * 0.45 + 3, top + height / 2), (left + width * 0.3, top + height / 2), (left + 3, top + 9)
        )
        page.until("document.querySelectorAll('#events li')[1].textContent.includes('0.81 – 2.80')")
        hand.is_saved()
        assert shown.rows()[:2] == ["a.mp4,wave,0.4,0.81", "a.mp4,jump,0.81,2.8"]


def test_after_an_undo_a_change_ends_what_could_be_redone(shown, hand):
    hand.mark("1", 0.0, 0.2)
    # The end, and then the begin.
    hand.press("u", "u")
    hand.go(0.4)
    hand.press("2")
    hand.press("Escape")
    hand.press("U", shift=True)
    assert hand.page.run("document.querySelector('#redo').disabled")
    assert shown.rows() == []


def test_steps_that_come_faster_than_frames_are_taken_one_after_the_other(hand):
    about = "{key: 'ArrowRight', bubbles: true, shiftKey: SHIFT}"
    key = f"document.body.dispatchEvent(new KeyboardEvent('keydown', {about}));"
    hand.page.run(f"(() => {{{key.replace('SHIFT', 'false') * 3}}})()")
    hand.is_at(0.12)
    hand.page.run(f"(() => {{{key.replace('SHIFT', 'true') * 3}}})()")
    hand.is_at(3.12)


def test_a_hand_on_the_zoomed_strip_moves_in_the_time_that_it_showed_when_it_came(hand):
    hand.go(2.0)
    hand.press("+", "+")
    assert hand.text("#until") == "2.5 of 4.0 s"
    left, top, width, height = hand.box("#strip")
    y = top + height / 2
    hand.page.drag((left + width * 0.5, y), (left + width * 0.6, y), (left + width * 0.7, y), (left + width * 0.76, y))
    hand.is_at(2.24)
    left, top, width, height = hand.box("#overview")
    hand.page.drag((left + width * 0.251, top + height / 2))
    hand.is_at(1.0)


FILM = """(async () => {
  const { Film } = await import('/film.js');
  const canvas = document.createElement('canvas'), shown = [];
  const film = new Film(canvas, { send() {}, onFrame() { shown.push(film.time); }, onStop() {} });
  film.reset(0);
  BODY
  return shown;
})()"""


def film(hand, body):
    """What a film without a server shows."""
    return hand.page.run(FILM.replace("BODY", body))


def test_frames_are_shown_at_their_own_times_by_the_chosen_speed(hand):
    play = """film.paint = (frame) => shown.push(frame.time);
      film.play(); film.setSpeed(SPEED);
      film.queue = [0.5, 1.0, 2.0].map((time) => ({ time, bitmap: { close() {} } }));
      for (const now of [1000, 1249, 1250, 1499, 1500, 1999, 2000, 3000]) { film.tick(now); shown.push(now); }
      film.pause();"""
    assert film(hand, play.replace("SPEED", "2")) == [1000, 1249, 0.5, 1250, 1499, 1.0, 1500, 1999, 2.0, 2000, 3000]
    assert film(hand, play.replace("SPEED", "1"))[-3:] == [2000, 2.0, 3000]


def test_a_frame_that_is_no_longer_wanted_is_not_shown(hand):
    assert film(
        hand,
        """canvas.getContext('2d');
        const jpeg = await new Promise((done) => canvas.toBlob(done, 'image/jpeg'));
        const message = async (number, time) => {
          const head = new DataView(new ArrayBuffer(13));
          head.setUint32(0, number); head.setFloat64(5, time);
          return new Blob([head.buffer, jpeg]).arrayBuffer();
        };
        film.show(1);
        const old = film.asked;
        film.waiting = null;
        film.show(2);
        film.receive(await message(old, 1));
        film.receive(await message(film.asked, 2));
        await film.decoding;""",
    ) == [2]


def test_the_end_of_a_drag_to_the_last_frame_is_the_end_of_the_recording(shown, hand):
    hand.press("End")
    hand.is_at(3.96)
    assert hand.page.run("document.querySelector('#play').disabled")
    hand.go(3.8)
    hand.press("1", "End")
    hand.is_at(3.96)
    hand.press("1")
    hand.is_saved()
    assert shown.rows() == ["a.mp4,wave,3.8,4"]


def test_the_space_plays_at_the_recordings_own_speed_and_a_digit_marks_on_the_way(shown, hand):
    hand.press("1", " ")
    assert hand.text("#play") == "Pause"
    hand.page.until("parseFloat(document.querySelector('#clock').textContent) > 0.5")
    hand.press("1")
    hand.is_saved()
    hand.page.until("document.querySelector('#play').textContent === 'Play'")
    hand.is_at(3.96)
    (row,) = shown.rows()
    name, label, start, end = row.split(",")
    assert (name, label, start) == ("a.mp4", "wave", "0")
    # Each time is that of a frame.
    assert float(end) / 0.04 == pytest.approx(round(float(end) / 0.04), abs=1e-6)
    assert 0.5 < float(end) < 3.96
    played_ms = hand.page.run(
        "(async () => {const click = (key) => document.body.dispatchEvent(new KeyboardEvent('keydown', "
        "{key, bubbles: true})); click('Home'); await new Promise(r => setTimeout(r, 500)); click('.');"
        " const start = performance.now(); click(' ');"
        " while (document.querySelector('#clock').textContent !== '3.960 s') await new Promise(requestAnimationFrame);"
        " return performance.now() - start})()"
    )
    # Twice as fast; a busy machine takes longer, and never less.
    assert played_ms >= 1900


def test_labels_are_added_and_recordings_are_stated_empty(shown, hand):
    hand.click("#new-label")
    for key in "1 p":
        hand.press(key)
    hand.page.run("document.querySelector('#add').requestSubmit()")
    assert [hand.page.run(f"document.querySelectorAll('#labels button')[{n}].textContent") for n in range(3)] == [
        "wave1",
        "jump2",
        "1 p3",
    ]
    hand.mark("3", 0.0, 0.4)
    assert shown.rows() == ["a.mp4,1 p,0,0.4"]
    assert hand.text("#progress") == "1 of 2 labelled"
    hand.page.run("document.querySelectorAll('#videos button')[1].click()")
    hand.page.until("document.body.dataset.video === 'b.avi'")
    hand.is_at(0)
    hand.click("#stated")
    hand.is_saved()
    hand.page.until("document.querySelector('#progress').textContent === '2 of 2 labelled'")
    assert shown.rows() == ["a.mp4,1 p,0,0.4", "b.avi,,,"]
    # Motion JPEG in AVI, which no browser plays.
    assert hand.page.run(
        "(() => {const c = document.querySelector('#video'); return [c.width, c.height,"
        " c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v, i) => i % 4 < 3 && v > 0)]})()"
    )[:2] == [64, 48]
    hand.page.run("document.querySelector('#about').open = true")
    hand.page.run(
        "(() => {const g = document.querySelector('#condition'); g.value = ' night ';"
        " g.dispatchEvent(new Event('change'))})()"
    )
    hand.is_saved()
    hand.page.until("true")
    assert shown.rows()[-1] == "b.avi,,,,night"


def test_an_event_that_has_begun_is_not_lost_by_opening_another_recording(hand):
    hand.press("1")
    hand.page.run("document.querySelectorAll('#videos button')[1].click()")
    assert "wave has begun" in hand.text("#message")
    assert hand.page.run("document.body.dataset.video") == "a.mp4"


def test_the_page_opens_the_first_recording_that_is_not_labelled_and_shows_what_is_there(shown, browser):
    shown.close()
    shown.file.write_text("path,label,start_s,end_s,group\na.mp4,wave,1,2,ann\na.mp4,leap,2,3,ann\n")
    shown.open()
    with browser.page(shown.address) as page:
        page.until("document.body.dataset.video === 'b.avi'")
        page.run("document.querySelectorAll('#videos button')[0].click()")
        page.until("document.body.dataset.video === 'a.mp4'")
        assert page.run("document.querySelectorAll('#strip .mark').length") == 2
        assert page.run("document.querySelector('#group').value") == "ann"
        assert page.run("[...document.querySelectorAll('#labels button')].map(each => each.textContent)") == [
            "wave1",
            "jump2",
            "leap3",
        ]
        assert page.complaints == []


def test_what_is_not_saved_is_said(shown, hand):
    shown.file.write_text("path,label,start_s,end_s\n")
    hand.press("1", "ArrowRight")
    hand.is_at(0.04)
    hand.press("1")
    hand.page.until("document.querySelector('#link').textContent === 'not saved'")
    assert "as it was written here, got another content" in hand.text("#message")
    shown.file.unlink()
    hand.press("u", "U")
    hand.page.until("document.querySelector('#message').hidden")


@pytest.mark.parametrize(
    ("width_px", "height_px", "phone", "dark"), [(1280, 900, False, False), (390, 844, True, True)]
)
def test_nothing_is_wider_than_the_window_and_nothing_is_wrong(
    shown, browser, tmp_path, width_px, height_px, phone, dark
):
    with browser.page(shown.address, width_px=width_px, height_px=height_px, phone=phone, dark=dark) as page:
        hand = Hand(page)
        hand.mark("1", 0.4, 0.8)
        hand.mark("2", 1.0, 2.0)
        hand.go(1.2)
        assert page.run("document.documentElement.scrollWidth") <= width_px
        for where in ("#play", "#labels button", "#strip"):
            left, _, width, height = hand.box(where)
            assert left >= 0
            assert left + width <= width_px
            assert height >= 30
        page.picture(tmp_path / "page.png")
        assert page.complaints == []


def test_the_command_prints_the_address_and_ends_with_what_was_marked(shown, browser):
    import signal

    shown.close()
    command = [
        sys.executable,
        "-m",
        "edgevid.cli",
        "label",
        str(shown.folder),
        "-o",
        str(shown.file),
        "--label",
        "wave",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    address = process.stderr.readline().rpartition(" ")[2].strip()
    with browser.page(address) as page:
        Hand(page).mark("1", 0.0, 0.2)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=30)
    assert out == f"1 events in 1 recordings, in {shown.file}\n"
    assert process.returncode == 0
    assert "Traceback" not in error
    shown.open()
