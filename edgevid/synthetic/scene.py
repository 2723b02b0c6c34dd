"""Render a hand in front of a background with numpy alone.

Shapes are capsules with soft edges. A `Scene` holds all that varies between persons and rooms:
hand, skin, sleeve, background, light and noise. Only the pose varies from frame to frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgevid.frames import Array, Pixels

# Skin tones from fair to dark, sRGB, 0 to 255; tones in between are interpolated.
_SKIN = np.array([[244, 208, 177], [224, 172, 125], [198, 134, 92], [141, 85, 54], [92, 56, 40]], np.float32)
_FINGERS = 4


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A person and a room, constant throughout a stream.

    Attributes:
        skin: Red, green and blue, 0 to 255.
        sleeve: Colour of the forearm; equal to `skin` for a bare arm.
        palm: Radius of the palm as a fraction of the picture's height.
        fingers: Lengths of four fingers and the thumb in palm radii; short for a fist.
        spread_rad: Angle between neighbouring fingers.
        side: 1 for a thumb on the left, -1 for one on the right.
        arm_rad: Direction in which the arm leaves the picture, from straight down.
        gain: Brightness as a factor of the drawn colours.
        flicker: Amplitude of the slow change of brightness, as a fraction.
        flicker_hz: Rate of this change.
        noise: Standard deviation of the sensor's noise, in levels of 0 to 255.
        seed: Seed for background and noise.
    """

    skin: tuple[float, float, float]
    sleeve: tuple[float, float, float]
    palm: float
    fingers: tuple[float, ...]
    spread_rad: float
    side: float
    arm_rad: float
    gain: float
    flicker: float
    flicker_hz: float
    noise: float
    seed: int


def draw_scene(rng: np.random.Generator) -> Scene:
    """Return a random scene.

    Args:
        rng: Source of all randomness; the same state gives the same scene.
    """
    # Interpolate between two neighbouring tones, then vary each channel by 10 %.
    tone = rng.uniform(0, len(_SKIN) - 1)
    low = min(int(tone), len(_SKIN) - 2)
    skin = (_SKIN[low] + (tone - low) * (_SKIN[low + 1] - _SKIN[low])) * rng.uniform(0.9, 1.1, 3)
    # Two of five arms are bare.
    sleeve = skin if rng.random() < 0.4 else rng.uniform(20, 235, 3)
    # Four fingers and the thumb; open, half closed, or a fist.
    lengths = (
        np.array([1.15, 1.4, 1.5, 1.3, 1.0])
        * rng.uniform(0.85, 1.2)
        * rng.choice((1.0, 0.75, 0.35), p=(0.7, 0.15, 0.15))
    )
    return Scene(
        skin=_color(skin),
        sleeve=_color(sleeve),
        palm=rng.uniform(0.065, 0.1),
        fingers=tuple(float(length) for length in lengths * rng.uniform(0.85, 1.15, _FINGERS + 1)),
        spread_rad=rng.uniform(0.02, 0.25),
        side=float(rng.choice((-1.0, 1.0))),
        arm_rad=rng.uniform(-0.5, 0.5),
        gain=rng.uniform(0.6, 1.25),
        flicker=rng.uniform(0.0, 0.06),
        flicker_hz=rng.uniform(0.1, 1.0),
        noise=rng.uniform(1.0, 6.0),
        seed=int(rng.integers(2**31)),
    )


def _color(values: Array) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in np.clip(values, 0, 255))
    return red, green, blue


class Renderer:
    """Renders the frames of one scene.

    Args:
        scene: The scene to render.
        height_px: Rows of a frame.
        width_px: Columns of a frame.
    """

    def __init__(self, scene: Scene, *, height_px: int, width_px: int) -> None:
        self.scene = scene
        self._rng = np.random.default_rng(scene.seed)
        self._backdrop = _backdrop(self._rng, height_px, width_px)
        self._canvas = np.empty_like(self._backdrop)
        # Each frame reads its noise from another offset of one strip, of twice a frame's size:
        # generating new noise would cost more than everything else.
        self._noise = self._rng.standard_normal(2 * self._backdrop.size, np.float32) * np.float32(scene.noise)
        self._arm, self._hand = _arm_capsule(scene), _hand_capsules(scene)

    def draw(self, pose: tuple[float, float, float], t_s: float, out: Pixels) -> None:
        """Render one frame. The noise depends on the frames before, so render frames in order.

        Args:
            pose: Column and row of the palm as fractions of the picture, turn of the hand (rad).
            t_s: Time of the frame, for the flicker.
            out: (H, W, 3) uint8 RGB; filled.

        Cost: five passes over the frame, and a dozen for each shape over the part that the hand and
        arm reach.
        """
        scene, canvas = self.scene, self._canvas
        np.copyto(canvas, self._backdrop)
        # The elbow hardly moves, so the arm turns less than the hand, which covers its end.
        self._paint(self._arm, pose, -scene.arm_rad + 0.3 * pose[2], scene.sleeve)
        self._paint(self._hand, pose, -scene.arm_rad + pose[2], scene.skin)
        canvas *= scene.gain * (1 + scene.flicker * math.sin(2 * math.pi * scene.flicker_hz * t_s))
        place = int(self._rng.integers(canvas.size))
        canvas += self._noise[place : place + canvas.size].reshape(canvas.shape)
        np.clip(canvas, 0, 255, out=canvas)
        np.copyto(out, canvas, casting="unsafe")

    def _paint(
        self, capsules: Array, pose: tuple[float, float, float], turn_rad: float, color: tuple[float, float, float]
    ) -> None:
        """Blend capsules, in palm radii relative to the palm, into the canvas."""
        height, width = self._canvas.shape[:2]
        placed = _place(
            capsules, turn_rad, scale_px=self.scene.palm * height, centre_px=(pose[0] * width, pose[1] * height)
        )
        rows, columns = _bounds(placed, height, width)
        if rows.stop <= rows.start or columns.stop <= columns.start:
            return
        cover, depth = _shade(placed, rows, columns)
        # Edges are half as bright as the middle, which gives the shapes a volume.
        area = self._canvas[rows, columns]
        area += cover[..., None] * ((0.5 + 0.5 * depth)[..., None] * np.array(color, np.float32) - area)


def _hand_capsules(scene: Scene) -> Array:
    """Return palm, fingers and thumb, (K, 5): x and y of both ends and the radius."""
    # In palm radii relative to the palm, fingers up. First the palm, a short vertical capsule.
    rows = [[0.0, -0.35, 0.0, 0.45, 0.92]]
    for index in range(_FINGERS):
        place = index - (_FINGERS - 1) / 2
        angle, length, x = place * scene.spread_rad, scene.fingers[index], 0.46 * place
        rows.append([x, -0.75, x + length * math.sin(angle), -0.75 - length * math.cos(angle), 0.25])
    length = scene.fingers[_FINGERS]
    rows.append([-0.6, 0.2, -0.6 - 0.85 * length, 0.2 - 0.6 * length, 0.28])
    capsules = np.array(rows, np.float32)
    capsules[:, (0, 2)] *= scene.side
    return capsules


def _arm_capsule(scene: Scene) -> Array:
    """Return the forearm as (1, 5)."""
    # 1.6 picture heights long, so that it leaves the picture from anywhere.
    return np.array([[0.0, 0.8, 0.0, 1.6 / scene.palm, 0.66]], np.float32)


def _place(capsules: Array, turn_rad: float, *, scale_px: float, centre_px: tuple[float, float]) -> Array:
    """Return capsules in pixels: turned, scaled and shifted."""
    cos, sin = math.cos(turn_rad), math.sin(turn_rad)
    turn = np.array([[cos, sin], [-sin, cos]], np.float32)
    placed = np.empty_like(capsules)
    placed[:, :2] = capsules[:, :2] @ turn
    placed[:, 2:4] = capsules[:, 2:4] @ turn
    placed[:, :4] *= scale_px
    placed[:, 4] = capsules[:, 4] * scale_px
    placed[:, :4] += np.array([*centre_px, *centre_px], np.float32)
    return placed


def _bounds(placed: Array, height: int, width: int) -> tuple[slice, slice]:
    """Return the rows and columns that capsules reach; they may be empty."""
    # One more pixel for the soft edge.
    margin = placed[:, 4:5] + 1
    ends = placed[:, :4].reshape(-1, 2, 2)
    low, high = (ends.min(axis=1) - margin).min(axis=0), (ends.max(axis=1) + margin).max(axis=0)
    rows = slice(max(0, math.floor(low[1])), min(height, math.ceil(high[1]) + 1))
    return rows, slice(max(0, math.floor(low[0])), min(width, math.ceil(high[0]) + 1))


def _shade(placed: Array, rows: slice, columns: slice) -> tuple[Array, Array]:
    """Return the covered share of each pixel and its depth inside, both (h, w) from 0 to 1.

    Source: distance to a segment, as in I. Quilez, 2D distance functions.
    """
    # Pixel centres.
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + 0.5
    x = np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] + 0.5
    ends = placed[:, :, None, None]
    to_x, to_y = ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1]
    from_x, from_y = x - ends[:, 0], y - ends[:, 1]
    along = ((from_x * to_x + from_y * to_y) / (to_x**2 + to_y**2)).clip(0, 1)
    inside = ends[:, 4] - np.hypot(from_x - along * to_x, from_y - along * to_y)
    # The distance to the outline, clipped to one pixel, approximates the covered share of a pixel.
    cover = (inside.max(axis=0) + 0.5).clip(0, 1)
    return cover, (inside / ends[:, 4]).max(axis=0).clip(0, 1)


def _backdrop(rng: np.random.Generator, height_px: int, width_px: int) -> Array:
    """Return a random wall, (H, W, 3) float32: gradient, texture, and up to five soft objects."""
    y, x = np.mgrid[0 : 1 : height_px * 1j, 0 : 1 : width_px * 1j].astype(np.float32)
    angle = rng.uniform(0, 2 * math.pi)
    slope = (((x - 0.5) * math.cos(angle) + (y - 0.5) * math.sin(angle)) + 0.7)[..., None] / 1.4
    first, second = rng.uniform(20, 235, 3), rng.uniform(20, 235, 3)
    wall = (first * slope + second * (1 - slope)).astype(np.float32)
    for knots, depth in ((5, rng.uniform(0, 40)), (17, rng.uniform(0, 25))):
        wall += depth * _texture(rng, knots, x, y)[..., None]
    for _ in range(int(rng.integers(0, 6))):
        blob = _blob(rng, x, y)[..., None]
        wall += blob * (rng.uniform(10, 245, 3) - wall)
    return np.clip(wall, 0, 255).astype(np.float32)


def _texture(rng: np.random.Generator, knots: int, x: Array, y: Array) -> Array:
    """Return noise from a coarse grid, interpolated bilinearly."""
    values = rng.uniform(-1, 1, (knots, knots)).astype(np.float32)
    # Just below the last knot, so that index + 1 stays inside the grid.
    left, top = (x * (knots - 1)).clip(0, knots - 1.001), (y * (knots - 1)).clip(0, knots - 1.001)
    column, row = left.astype(int), top.astype(int)
    u, v = left - column, top - row
    upper = values[row, column] * (1 - u) + values[row, column + 1] * u
    lower = values[row + 1, column] * (1 - u) + values[row + 1, column + 1] * u
    return upper * (1 - v) + lower * v


def _blob(rng: np.random.Generator, x: Array, y: Array) -> Array:
    """Return one random soft-edged ellipse as cover from 0 to 1."""
    centre, radius, turn = rng.uniform(0, 1, 2), rng.uniform(0.04, 0.3, 2), rng.uniform(0, math.pi)
    along = (x - centre[0]) * math.cos(turn) + (y - centre[1]) * math.sin(turn)
    across = (y - centre[1]) * math.cos(turn) - (x - centre[0]) * math.sin(turn)
    distance = np.hypot(along / radius[0], across / radius[1])
    return ((1.1 - distance) * 8).clip(0, rng.uniform(0.4, 1.0))
