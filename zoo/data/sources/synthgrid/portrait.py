"""Painting a speaker's portrait: body, head, features, hair, beard and glasses."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from zoo.data.sources.synthgrid.face import MOUTH_Y, Face
from zoo.data.sources.synthgrid.skin import Map, Painter, Skin, blur, fill

TOP = -0.80
"""Top of the skull, in units from the bridge of the nose."""


def paint(face: Face) -> Skin:
    """Paint a speaker without eyes and lips, which :mod:`zoo.data.sources.synthgrid.render` draws in every frame."""
    painter = Painter(face)
    crown = _crown(painter)
    _hair_behind(painter, crown)
    _body(painter)
    head = _head(painter, crown)
    _relief(painter, head)
    _complexion(painter, head)
    _nose(painter)
    _folds(painter)
    _beard(painter, head)
    _hair(painter, crown)
    _brows(painter)
    _glasses(painter)
    return painter.finish()


def _crown(painter: Painter) -> Float64[np.ndarray, "N 2"]:
    """The outline of the skull from the right ear over the top to the left ear, in units."""
    half, ear = painter.points[16, 0], painter.points[16, 1]
    angle = np.linspace(0.10, np.pi - 0.10, 13)
    x, y = np.cos(angle), np.sin(angle)
    return np.stack([half * 1.03 * np.sign(x) * np.abs(x) ** 0.85, ear + (TOP - ear) * y**0.95], 1)


def _strands(painter: Painter, bend: float = 0.6) -> Map:
    """Light and dark strands that run from the crown, mean 1."""
    centre_y = TOP - 0.22
    angle = np.arctan2(painter.x - 0.08, painter.y - centre_y) / np.pi
    radius = np.hypot(painter.x, painter.y - centre_y)
    fine, coarse = painter.rng.standard_normal(420), painter.rng.standard_normal(70)
    place = (angle + 1) / 2 + 0.02 * bend * np.sin(5 * radius + 3)
    table = np.interp(place * 419, np.arange(420), fine) * 0.5 + np.interp(place * 69, np.arange(70), coarse) * 0.5
    shade: Map = np.clip(1 + 0.22 * table + 0.03 * painter.noise(2.5), 0.4, 1.7).astype(np.float32)
    return shade


def _hair_paint(painter: Painter) -> Float[np.ndarray, "3 256 256"]:
    gloss = np.exp(-(((np.hypot(painter.x * 0.9, painter.y - 0.15) - 0.78) / 0.09) ** 2)) * (0.75 - 0.3 * painter.x)
    strands = _strands(painter) * (1 + 0.45 * gloss)
    return np.clip(np.array(painter.speaker.hair, np.float32)[:, None, None] * strands, 0, 1).astype(np.float32)


def _hair_behind(painter: Painter, crown: Float64[np.ndarray, "N 2"]) -> None:
    """Hair that hangs or stands behind the head."""
    cut, rng = painter.speaker.haircut, painter.rng
    if cut not in ("long", "bob", "bun"):
        return
    length = {"long": 1.75, "bob": 0.85 + 0.2 * rng.random(), "bun": 0.0}[cut]
    wide = {"long": 0.16, "bob": 0.17, "bun": 0.0}[cut]
    half = float(crown[0, 0])
    outline = [
        *((crown - (0, 0.1)) * (1 + wide, 1.07) + (0, 0.07)),
        (-half - wide - 0.02, length * 0.6),
        (-half - wide + 0.06, length),
    ]
    outline += [(half + wide - 0.06, length), (half + wide + 0.02, length * 0.6)]
    area = painter.area(outline)
    if cut == "bun":
        area = painter.area([(0.2, TOP - 0.02), (0.0, TOP - 0.22), (-0.2, TOP - 0.02), (0.0, TOP + 0.1)])
    painter.put(area, _hair_paint(painter) * 0.62)
    painter.height += blur(area, 6.0) * 8


def _body(painter: Painter) -> None:
    """Neck, shoulders and collar."""
    speaker, unit = painter.speaker, painter.face.unit
    width = 0.35 + 0.025 * speaker.shape[0]
    neck = painter.area(
        [(-width, 0.6), (-width, 1.2), (-width - 0.16, 1.5), (width + 0.16, 1.5), (width, 1.2), (width, 0.6)]
    )
    skin = np.array(speaker.skin, np.float32) * 0.92
    painter.put(neck, skin)
    round_neck = np.sqrt(np.clip(1 - (painter.x / (width + 0.08)) ** 2, 0.05, 1))
    painter.height = (painter.height * (1 - neck) + neck * (0.30 * round_neck - 0.36) * unit).astype(np.float32)
    shoulders = painter.area(
        [(-1.7, 2.6), (-1.6, 1.75), (-1.0, 1.50), (-0.47, 1.33), (-0.25, 1.43), (0, 1.47), (0.25, 1.43), (0.47, 1.33),
         (1.0, 1.50), (1.6, 1.75), (1.7, 2.6)]
    )  # fmt: skip
    painter.put(shoulders, speaker.clothes)
    folds = 1 + 0.02 * painter.noise(20.0) * shoulders
    painter.colour *= np.where(shoulders > 0.5, folds, 1).astype(np.float32)
    slope = (0.20 * np.exp(-((painter.x / 0.9) ** 2) - ((painter.y - 1.9) / 0.7) ** 2) - 0.20) * unit
    painter.height = (painter.height * (1 - shoulders) + shoulders * slope).astype(np.float32)
    collar = painter.line([(-0.46, 1.35), (-0.25, 1.45), (0, 1.49), (0.25, 1.45), (0.46, 1.35)], 0.03)
    painter.tint(blur(collar * shoulders, 0.7), (0.72, 0.72, 0.74))


def _head(painter: Painter, crown: Float64[np.ndarray, "N 2"]) -> Map:
    """Ears and the outline of head and jaw; returns the area of the head."""
    speaker = painter.speaker
    skin = np.array(speaker.skin, np.float32)
    half = float(painter.points[16, 0])
    for side in (-1, 1):
        x = side * (half + 0.015)
        ear = [
            (x, 0.0),
            (x + side * 0.07, 0.01),
            (x + side * 0.085, 0.12),
            (x + side * 0.05, 0.28),
            (x + side * 0.005, 0.36),
            (x - side * 0.05, 0.2),
        ]
        area = painter.area(ear)
        painter.put(area, skin * (0.93, 0.86, 0.84))
        painter.tint(painter.spot(x + side * 0.025, 0.15, 0.025, 0.09), (0.72, 0.62, 0.60))
        painter.height += blur(area, 1.5) * 3
    shadow = painter.area(painter.points[2:15] + np.array([0, 0.09]))
    painter.tint(blur(shadow, 5.0) * 0.75, (0.62, 0.52, 0.50))
    area = painter.area(np.concatenate([painter.points[:17], crown]))
    painter.put(area, skin)
    return area


def _relief(painter: Painter, head: Map) -> None:
    """The height of the face in pixels: skull, brows, sockets, cheeks, nose, mouth, chin."""
    unit, points, x, y = painter.face.unit, painter.points, painter.x, painter.y
    half = points[16, 0]
    vertical = np.where(y < 0.15, (y - 0.15) / (TOP - 0.32), (y - 0.15) / (points[8, 1] + 0.05))
    ball = np.sqrt(np.clip(1 - (x / (half * 1.05)) ** 2 - vertical**2, 0.02, 1))
    edge = np.clip(2 * blur(head, 0.09 * unit) - 1, 0, 1)
    rim = edge * (2 - edge)
    height = 0.42 * ball + 0.13 * rim
    eye = points[36:40].mean(0) - (0, 0.0)
    brow_y = float(points[[18, 19, 20], 1].mean())
    height += 0.035 * painter.both(-0.27, brow_y - 0.02, 0.20, 0.07)
    height -= 0.060 * painter.both(float(eye[0]) + 0.05, float(eye[1]) - 0.01, 0.15, 0.085)
    height += 0.030 * painter.both(float(eye[0]), float(eye[1]) + 0.005, 0.095, 0.06)
    height += 0.055 * painter.both(-0.34, 0.36, 0.15, 0.12)
    height -= 0.025 * painter.both(-0.40, 0.66, 0.12, 0.16)
    height += 0.055 * painter.spot(0.0, MOUTH_Y, 0.24, 0.17)
    height += 0.050 * painter.spot(0.0, float(points[8, 1]) - 0.13, 0.14, 0.10)
    height -= 0.028 * painter.spot(0.0, MOUTH_Y + 0.215, 0.16, 0.05)
    height += _nose_relief(painter)
    painter.height = np.where(head > 0.02, painter.height * (1 - head) + head * height * unit, painter.height).astype(
        np.float32
    )
    painter.shine += head * (
        0.35 + 0.5 * painter.spot(0.0, -0.42, 0.3, 0.16) + 0.6 * painter.spot(0.0, 0.33, 0.07, 0.08)
    )


def _nose_relief(painter: Painter) -> Map:
    """Bridge, tip and wings."""
    tip, base = float(painter.points[30, 1]), float(painter.points[33, 1])
    wing = float(painter.points[35, 0])
    along = np.clip((painter.y + 0.06) / (tip + 0.06), 0, 1)
    below = 1 / (1 + np.exp(-(base - 0.055 - painter.y) / 0.022))
    above = 1 / (1 + np.exp(-(painter.y + 0.06) / 0.05))
    ridge = (0.030 + 0.115 * along**1.3) * np.exp(-((painter.x / (0.048 + 0.028 * along)) ** 2)) * below * above
    height: Map = ridge + 0.035 * painter.spot(0.0, tip + 0.02, 0.07, 0.06) * below
    return height + 0.060 * painter.both(wing * 0.92, tip + 0.055, 0.045, 0.045) * (0.35 + 0.65 * below)


def _complexion(painter: Painter, head: Map) -> None:
    """Warm cheeks, dark sockets, grain and freckles."""
    speaker = painter.speaker
    eye = painter.points[36:40].mean(0)
    painter.tint(head * np.clip(painter.both(-0.36, 0.40, 0.15, 0.13), 0, 1) * 0.8, (1.03, 0.90, 0.88))
    painter.tint(head * painter.spot(0.0, 0.36, 0.10, 0.12) * 0.7, (1.02, 0.91, 0.89))
    painter.tint(
        head * painter.both(float(eye[0]), float(eye[1]) + 0.085, 0.10, 0.035) * (0.35 + 0.4 * speaker.age),
        (0.88, 0.82, 0.84),
    )
    painter.tint(head * painter.both(float(eye[0]) + 0.03, float(eye[1]) - 0.06, 0.12, 0.045), (0.85, 0.78, 0.77))
    painter.tint(head * painter.both(-0.11, 0.02, 0.05, 0.07) * 0.8, (0.84, 0.76, 0.75))
    for scale, size in ((30.0, 0.018), (6.0, 0.012), (1.6, 0.012)):
        painter.colour *= 1 + size * painter.noise(scale) * head
    if speaker.freckles > 0:
        dots = np.clip(painter.noise(2.2) - 1.6, 0, 1) * (
            painter.both(-0.25, 0.32, 0.2, 0.12) + painter.spot(0.0, 0.22, 0.1, 0.1)
        )
        painter.tint(np.clip(dots * speaker.freckles * 1.5, 0, 1), (0.72, 0.55, 0.45))


def _nose(painter: Painter) -> None:
    """Nostrils, the shadow under the nose and beside its wings."""
    points = painter.points
    wing, base, tip = float(points[35, 0]), float(points[33, 1]), float(points[30, 1])
    painter.tint(painter.spot(0.0, base - 0.012, wing * 1.0, 0.026) * 0.6, (0.66, 0.54, 0.52))
    painter.tint(np.clip(painter.both(wing * 0.55, base - 0.040, 0.036, 0.018, 0.35), 0, 1) * 0.92, (0.25, 0.16, 0.15))
    painter.tint(painter.both(wing * 1.22, tip + 0.065, 0.018, 0.05, 0.25) * 0.5, (0.62, 0.48, 0.46))
    painter.tint(painter.both(0.085, tip - 0.09, 0.035, 0.12, -0.12) * 0.2, (0.70, 0.60, 0.58))
    painter.tint(painter.spot(0.0, (base + MOUTH_Y - 0.09) / 2, 0.022, 0.05) * 0.30, (0.80, 0.72, 0.70))


def _folds(painter: Painter) -> None:
    """The lines from the nose to the corners of the mouth, and the shade under the lower lip."""
    wing, tip = float(painter.points[35, 0]), float(painter.points[30, 1])
    for side in (-1, 1):
        line = painter.line(
            [(side * (wing + 0.015), tip + 0.07), (side * 0.215, MOUTH_Y - 0.14), (side * 0.275, MOUTH_Y + 0.01)], 0.016
        )
        painter.tint(blur(line, 1.6) * (0.25 + 0.75 * painter.speaker.age), (0.74, 0.62, 0.60))
    painter.tint(painter.spot(0.0, MOUTH_Y + 0.20, 0.12, 0.04) * 0.30, (0.74, 0.64, 0.62))


def _beard(painter: Painter, head: Map) -> None:
    """Stubble, beard, goatee or moustache."""
    kind, speaker, points = painter.speaker.beard, painter.speaker, painter.points
    if kind == "none":
        return
    base = float(points[33, 1])
    area = np.zeros_like(head)
    if kind in ("stubble", "full"):
        inner = [(0.50, 0.45), (0.36, 0.62), (0.30, MOUTH_Y - 0.02), (0.17, base + 0.075), (0.0, base + 0.055)]
        outer = [*(points[2:15] * (1.03, 1.0) + (0, 0.03))]
        ring = [*outer, (points[14, 0], 0.40), *inner, *[(-x, y) for x, y in inner[-2::-1]], (points[2, 0], 0.40)]
        area = fill(np.array(ring) * painter.face.unit + painter.face.origin)
    if kind == "goatee":
        chin = float(points[8, 1])
        area = painter.area(
            [
                (-0.20, MOUTH_Y + 0.20),
                (-0.19, chin - 0.04),
                (0, chin + 0.03),
                (0.19, chin - 0.04),
                (0.20, MOUTH_Y + 0.20),
                (0, MOUTH_Y + 0.21),
            ]
        )
    if kind in ("goatee", "moustache"):
        lip = MOUTH_Y - 0.085
        lash = painter.area(
            [
                (-0.24, lip + 0.05),
                (-0.14, base + 0.075),
                (0, base + 0.06),
                (0.14, base + 0.075),
                (0.24, lip + 0.05),
                (0, lip),
            ]
        )
        area = np.maximum(area, lash)
    dense = {"stubble": 0.22, "full": 0.52, "goatee": 0.33, "moustache": 0.28}[kind]
    soft = blur(area, 2.4) * np.clip(1 + 0.12 * painter.noise(2.0), 0, 1.4) * dense
    tone = np.array(speaker.hair, np.float32) * 0.9 + np.array((0.02, 0.015, 0.01), np.float32)
    painter.put(
        np.clip(soft, 0, 0.95) * np.maximum(head, 0.9 * (blur(head, 2.0) > 0.3)),
        np.clip(tone[:, None, None] * (1 + 0.1 * painter.noise(1.8)), 0, 1),
    )
    painter.shine *= 1 - 0.8 * np.clip(soft, 0, 1)


def _fringe(painter: Painter, half: float) -> None:
    """What is left above the ears of a bald man."""
    area = np.zeros_like(painter.alpha)
    for side in (-1, 1):
        tuft = [(half + 0.015, -0.26), (half + 0.02, 0.05), (half - 0.045, 0.08), (half - 0.05, -0.22)]
        area = np.maximum(area, painter.area([(side * x, y) for x, y in tuft]))
    painter.put(blur(area, 1.6) * np.float32(0.75), _hair_paint(painter))


def _hair(painter: Painter, crown: Float64[np.ndarray, "N 2"]) -> None:
    """Hair on top of the head, down to the hairline."""
    if painter.speaker.haircut == "bald":
        _fringe(painter, float(crown[0, 0]))
        return
    cut, rng = painter.speaker.haircut, painter.rng
    half, high = float(crown[0, 0]), -0.50 - 0.06 * rng.random()
    volume = {"short": 0.05, "side": 0.09, "crop": 0.025, "long": 0.07, "bob": 0.09, "bun": 0.035, "curly": 0.14}[cut]
    outer = (crown - (0, 0.1)) * (1 + volume * 0.8, 1 + volume) + (0, 0.1)
    if cut == "curly":
        outer = outer * (1 + 0.02 * rng.standard_normal((len(outer), 1)))
    low = 0.20 if cut in ("long", "bob") else 0.10
    if cut == "side":
        line = [
            (-half + 0.05, -0.10),
            (-0.50, -0.28),
            (-0.30, high - 0.12),
            (-0.18, high - 0.10),
            (0.05, high + 0.10),
            (0.30, high + 0.16),
            (0.50, -0.24),
            (half - 0.05, -0.08),
        ]
    elif cut in ("long", "bob", "bun"):
        line = [
            (-half + 0.06, 0.0),
            (-0.50, -0.24),
            (-0.30, high + 0.06),
            (0.0, high - 0.10),
            (0.30, high + 0.06),
            (0.50, -0.24),
            (half - 0.06, 0.0),
        ]
    else:
        line = [
            (-half + 0.04, -0.06),
            (-0.50, -0.26),
            (-0.42, high + 0.08),
            (-0.2, high - 0.02),
            (0.0, high),
            (0.2, high - 0.02),
            (0.42, high + 0.08),
            (0.50, -0.26),
            (half - 0.04, -0.06),
        ]
    outline = [
        *outer,
        (-half - 0.03 - volume / 2, low),
        (-half + 0.02, low + 0.02),
        *line,
        (half - 0.02, low + 0.02),
        (half + 0.03 + volume / 2, low),
    ]
    area = painter.area(outline)
    painter.tint(blur(area, 3.0) * (1 - area) * (painter.y < 0.3) * 0.55, (0.62, 0.55, 0.52))
    edge = np.clip(area + 0.13 * painter.noise(1.8) * blur(area, 1.2) * (1 - blur(area, 1.2)) * 4, 0, 1)
    painter.put(blur(edge.astype(np.float32), 0.7), _hair_paint(painter))
    painter.height += blur(area, 4.0) * 7
    if cut == "curly":
        painter.height += painter.noise(7.0) * 1.6 * area
    painter.shine *= 1 - 0.7 * area


def _brows(painter: Painter) -> None:
    """Brows along the landmarks, thick inside and thin outside."""
    thick = painter.speaker.brow_thickness
    tone = np.array(painter.speaker.hair, np.float32) * 0.62
    for points in (painter.points[17:22], painter.points[26:21:-1]):
        taper = np.array([0.55, 0.78, 0.92, 1.0, 0.80])[:, None] * thick
        middle = points + np.array([0, 0.012])
        area = painter.area(np.concatenate([middle - taper * (0, 0.5), middle[::-1] + taper[::-1] * (0, 0.5)]))
        hairs = np.clip(0.80 + 0.12 * painter.noise(1.8), 0, 1)
        painter.put(blur(area, 0.8) * hairs, tone)


def _glasses(painter: Painter) -> None:
    """Frames around the eyes, with a faint tint of glass."""
    power = painter.speaker.glasses
    if not power:
        return
    ink = np.array((0.10, 0.09, 0.09), np.float32) + painter.rng.random() * np.array((0.25, 0.16, 0.08), np.float32)
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.stack(
        [
            np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** (2 / power),
            np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** (2 / power),
        ],
        1,
    )
    frame = np.zeros_like(painter.x)
    for eye in (painter.points[36:42].mean(0), painter.points[42:48].mean(0)):
        rim = eye * (1.04, 1) + ring * (0.185, 0.150) + (0, 0.035)
        frame = np.maximum(frame, painter.line(rim, 0.017, closed=True))
        glass = painter.area(rim)
        painter.tint(glass, (0.97, 0.98, 0.99))
        painter.tint(blur(glass, 2.5) * (1 - glass) * 0.25, (0.7, 0.65, 0.63))
    inner, outer, y = 0.27 - 0.185, 0.27 + 0.19, float(painter.points[36:48, 1].mean()) - 0.01
    frame = np.maximum(frame, painter.line([(-inner, y + 0.01), (0, y - 0.025), (inner, y + 0.01)], 0.018))
    for side in (-1, 1):
        frame = np.maximum(
            frame, painter.line([(side * outer, y), (side * (float(painter.points[16, 0]) + 0.01), y + 0.03)], 0.018)
        )
    painter.put(frame * 0.95, ink)
