"""How the drawn world looks: shapes, textures and landscapes painted with Pillow.

Positions are in units of the picture's central square: (0, 0) is its top left corner, (1, 1) its
bottom right; a wide picture goes on to the left of 0 and to the right of 1.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from drawn_scene import Scene
from PIL import Image, ImageDraw

RGB = tuple[int, int, int]
Point = tuple[float, float]

COLOURS: dict[str, RGB] = {
    "red": (218, 38, 40),
    "orange": (246, 138, 22),
    "yellow": (250, 220, 48),
    "green": (44, 156, 62),
    "turquoise": (58, 206, 200),
    "blue": (38, 78, 214),
    "purple": (132, 48, 172),
    "pink": (250, 152, 192),
    "brown": (116, 70, 36),
    "black": (24, 24, 26),
    "white": (248, 248, 246),
    "grey": (140, 140, 142),
}


def _arc(radius: float, start: float, stop: float, x: float = 0.0) -> list[Point]:
    """Points on a circle about (x, 0), from one angle to another (degrees)."""
    steps = 24
    angles = (math.radians(start + (stop - start) * i / steps) for i in range(steps + 1))
    return [(x + radius * math.cos(a), radius * math.sin(a)) for a in angles]


def _heart() -> list[Point]:
    angles = [math.tau * i / 36 for i in range(36)]
    return [
        (
            math.sin(a) ** 3,
            -(13 * math.cos(a) - 5 * math.cos(2 * a) - 2 * math.cos(3 * a)) / 16,
        )
        for a in angles
    ]


def _star() -> list[Point]:
    radii = (1.05, 0.44)
    turns = [math.tau * i / 10 - math.pi / 2 for i in range(10)]
    return [(radii[i % 2] * math.cos(a), radii[i % 2] * math.sin(a)) for i, a in enumerate(turns)]


def _cross() -> list[Point]:
    inner, outer = 0.32, 0.95
    quarter = [(inner, -outer), (inner, -inner), (outer, -inner)]
    corners = []
    for _ in range(4):
        corners += quarter
        quarter = [(-y, x) for x, y in quarter]
    return corners


# outlines of about radius 1 around (0, 0); a ring is one outline that runs back along its hole
OUTLINES: dict[str, list[Point]] = {
    "circle": _arc(1, 0, 360),
    "square": [(-0.86, -0.86), (0.86, -0.86), (0.86, 0.86), (-0.86, 0.86)],
    "triangle": [(0, -1), (1, 0.8), (-1, 0.8)],
    "diamond": [(0, -1.1), (0.68, 0), (0, 1.1), (-0.68, 0)],
    "star": _star(),
    "heart": _heart(),
    "cross": _cross(),
    "ring": _arc(1, 0, 360) + _arc(0.58, 360, 0),
    "crescent": _arc(1, 60, 300, -0.1) + _arc(0.88, 285, 75, 0.22),
    "arrow": [(-1, -0.3), (0.1, -0.3), (0.1, -0.8), (1, 0), (0.1, 0.8), (0.1, 0.3), (-1, 0.3)],
}
SHAPES = tuple(OUTLINES)


class Canvas:
    """A picture being painted, addressed in units of its central square."""

    def __init__(self, size: tuple[int, int], rng: random.Random) -> None:
        self.size = size
        self.rng = rng
        self.unit = min(size)
        self.offset = ((size[0] - self.unit) / 2, (size[1] - self.unit) / 2)
        self.left, self.top = -self.offset[0] / self.unit, -self.offset[1] / self.unit
        self.right, self.bottom = 1 - self.left, 1 - self.top
        self.image = Image.new("RGB", size)
        self._draw = ImageDraw.Draw(self.image)

    def shade(self, name: str, amount: int = 12) -> RGB:
        """The named colour, a little off."""
        return self.vary(COLOURS[name], amount)

    def vary(self, colour: RGB, amount: int = 8) -> RGB:
        """A colour at most `amount` steps away in each channel."""
        red, green, blue = (c + self.rng.randint(-amount, amount) for c in colour)
        return max(0, min(255, red)), max(0, min(255, green)), max(0, min(255, blue))

    def near(self, value: float, amount: float) -> float:
        """A number at most `amount` away."""
        return value + self.rng.uniform(-amount, amount)

    def fill(self, upper: RGB, lower: RGB) -> None:
        """Cover everything with a gradient from top to bottom."""
        pair = Image.new("RGB", (1, 2), upper)
        pair.putpixel((0, 1), lower)
        self.image.paste(pair.resize(self.size, Image.Resampling.BILINEAR))

    def polygon(self, points: list[Point], colour: RGB) -> None:
        """Fill an outline."""
        # the line in the same colour closes the seam of a ring
        self._draw.polygon([self._pixel(x, y) for x, y in points], fill=colour, outline=colour)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: RGB) -> None:
        """Fill an upright rectangle."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def disc(self, x: float, y: float, radius: float, colour: RGB, squash: float = 1.0) -> None:
        """Fill a circle, or an ellipse `squash` times as high as wide."""
        high = radius * squash
        corners = (self._pixel(x - radius, y - high), self._pixel(x + radius, y + high))
        self._draw.ellipse(corners, fill=colour)

    def shape(self, name: str, at: Point, radius: float, colour: RGB, tilt: float = 8.0) -> None:
        """Fill one of `SHAPES`, turned by at most `tilt` degrees."""
        angle = math.radians(self.near(0, tilt))
        cos, sin = math.cos(angle) * radius, math.sin(angle) * radius
        turned = [(at[0] + x * cos - y * sin, at[1] + x * sin + y * cos) for x, y in OUTLINES[name]]
        self.polygon(turned, colour)

    def _pixel(self, x: float, y: float) -> Point:
        return self.offset[0] + x * self.unit, self.offset[1] + y * self.unit


def paint(scene: Scene, size: tuple[int, int], rng: random.Random) -> Image.Image:
    """The scene at exactly `size` (width, height) pixels, edges not smoothed."""
    canvas = Canvas(size, rng)
    _PAINTERS[scene.kind](canvas, scene)
    return canvas.image


def spread(canvas: Canvas, count: int, rows: tuple[float, ...]) -> list[Point]:
    """`count` places that do not touch, drawn from three columns and the given rows."""
    cells = [(x, y) for y in rows for x in (0.2, 0.5, 0.8)]
    chosen = canvas.rng.sample(cells, count)
    return [(canvas.near(x, 0.03), canvas.near(y, 0.03)) for x, y in chosen]


def _plain(canvas: Canvas, name: str) -> None:
    canvas.fill(canvas.shade(name, 10), canvas.shade(name, 10))


def _single(canvas: Canvas, scene: Scene) -> None:
    _plain(canvas, scene.background)
    x = 0.27 if "left" in scene.place else 0.73 if "right" in scene.place else 0.5
    y = 0.27 if "top" in scene.place else 0.73 if "bottom" in scene.place else 0.5
    radius = {"small": 0.09, "medium": 0.155, "large": 0.235}[scene.size]
    at = (canvas.near(x, 0.025), canvas.near(y, 0.025))
    canvas.shape(scene.subject, at, canvas.near(radius, 0.01), canvas.shade(scene.colour))


def _count(canvas: Canvas, scene: Scene) -> None:
    _plain(canvas, scene.background)
    radius = canvas.near(0.11, 0.012)
    for at in spread(canvas, scene.count, (0.2, 0.5, 0.8)):
        canvas.shape(scene.subject, at, radius, canvas.shade(scene.colour))


def _pair(canvas: Canvas, scene: Scene) -> None:
    _plain(canvas, scene.background)
    across = canvas.near(0.5, 0.12), canvas.near(0.5, 0.12)
    along = canvas.near(0.26, 0.03), canvas.near(0.74, 0.03)
    points = list(zip(along, across, strict=True))
    if scene.place == "above":
        points = [(y, x) for x, y in points]
    canvas.shape(scene.subject, points[0], canvas.near(0.18, 0.02), canvas.shade(scene.colour))
    canvas.shape(
        scene.other_subject, points[1], canvas.near(0.18, 0.02), canvas.shade(scene.other_colour)
    )


def _texture(canvas: Canvas, scene: Scene) -> None:
    one, two = canvas.shade(scene.colour), canvas.shade(scene.other_colour)
    canvas.fill(two, two)
    period = canvas.near(*((0.125, 0.01) if scene.size == "fine" else (0.29, 0.025)))
    phase = canvas.rng.random() * period
    if "stripes" in scene.subject:
        angle = {"horizontal": 90, "vertical": 0, "diagonal": 45}[scene.subject.split()[0]]
        _stripes(canvas, canvas.near(angle, 4), period, phase, one)
    elif scene.subject == "zigzag":
        _zigzag(canvas, period, phase, one)
    else:
        _lattice(canvas, scene.subject, period, phase, one)


def _stripes(canvas: Canvas, degrees: float, period: float, phase: float, colour: RGB) -> None:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    reach = canvas.right + canvas.bottom + 1  # past every corner, at any angle
    for i in range(-math.ceil(reach / period), math.ceil(reach / period)):
        start, stop = i * period + phase, (i + 0.5) * period + phase
        corners = ((start, -reach), (stop, -reach), (stop, reach), (start, reach))
        canvas.polygon([(u * cos - v * sin, u * sin + v * cos) for u, v in corners], colour)


def _zigzag(canvas: Canvas, period: float, phase: float, colour: RGB) -> None:
    steps = range(math.floor(canvas.left / period) - 1, math.ceil(canvas.right / period) + 2)
    upper = [((i + 0.5 * half) * period, half * 0.5 * period) for i in steps for half in (0, 1)]
    lower = [(x, y + 0.5 * period) for x, y in reversed(upper)]
    row = canvas.top - 2 * period + phase
    while row < canvas.bottom + period:
        canvas.polygon([(x, y + row) for x, y in upper + lower], colour)
        row += period


def _lattice(canvas: Canvas, pattern: str, period: float, phase: float, colour: RGB) -> None:
    """Dots, a grid, or a checkerboard, cell by cell."""
    rows = math.ceil((canvas.bottom - canvas.top) / period) + 2
    columns = math.ceil((canvas.right - canvas.left) / period) + 2
    for row in range(rows):
        for column in range(columns):
            x = canvas.left + (column - 1) * period + phase
            y = canvas.top + (row - 1) * period + phase
            if pattern == "dots":
                canvas.disc(x, y, period * 0.3, colour)
            elif pattern == "checkerboard":
                half = period / 2
                canvas.box(x, y, x + half, y + half, colour)
                canvas.box(x + half, y + half, x + period, y + period, colour)
            else:
                canvas.box(x, y, x + period, y + period * 0.22, colour)
                canvas.box(x, y, x + period * 0.22, y + period, colour)


_SKIES: dict[str, tuple[RGB, RGB]] = {
    "sun": ((92, 168, 240), (176, 218, 250)),
    "clouds": ((150, 178, 206), (206, 218, 228)),
    "sunset": ((196, 84, 110), (250, 176, 96)),
    "rain": ((84, 92, 104), (134, 142, 152)),
    "night": ((10, 14, 44), (30, 36, 82)),
}
_GROUNDS: dict[str, RGB] = {
    "grass": (96, 170, 74),
    "sand": (230, 204, 120),
    "snow": (238, 242, 250),
}
HORIZON = 0.66


def _sky(canvas: Canvas, sky: str, ground: RGB) -> None:
    upper, lower = _SKIES[sky]
    canvas.fill(canvas.vary(upper), canvas.vary(lower))
    x = canvas.near(0.5, 0.38)
    if sky == "sun":
        canvas.disc(x, canvas.near(0.12, 0.02), 0.09, (255, 226, 60))
    elif sky == "sunset":
        canvas.disc(x, HORIZON, 0.15, (252, 104, 52))
    elif sky == "night":
        canvas.shape("crescent", (x, canvas.near(0.13, 0.02)), 0.075, (246, 240, 200))
    elif sky == "clouds":
        for centre in (0.15, 0.5, 0.85):
            x, y = canvas.near(centre, 0.08), canvas.near(0.13, 0.03)
            for dx, radius in ((-0.08, 0.06), (0, 0.08), (0.08, 0.06)):
                canvas.disc(x + dx, y, radius, (250, 250, 252), 0.7)
    canvas.box(canvas.left, HORIZON, canvas.right, canvas.bottom, canvas.vary(ground))


def _rain(canvas: Canvas, scene: Scene) -> None:
    """Drops, if it rains: painted last, in front of everything."""
    if scene.place != "rain":
        return
    for _ in range(int(70 * (canvas.right - canvas.left) * (canvas.bottom - canvas.top))):
        x = canvas.rng.uniform(canvas.left, canvas.right)
        y = canvas.rng.uniform(canvas.top, canvas.bottom)
        canvas.polygon([(x, y), (x + 0.012, y), (x - 0.02, y + 0.08)], (200, 216, 236))


def _house(canvas: Canvas, scene: Scene) -> None:
    _sky(canvas, scene.place, _GROUNDS["grass"])
    x, half, base = canvas.near(0.5, 0.06), canvas.near(0.24, 0.02), canvas.near(0.84, 0.02)
    eaves, ridge = canvas.near(0.54, 0.01), canvas.near(0.3, 0.02)
    canvas.box(x - half, eaves, x + half, base, canvas.shade(scene.colour))
    roof = [(x - half - 0.05, eaves), (x, ridge), (x + half + 0.05, eaves)]
    canvas.polygon(roof, canvas.shade(scene.other_colour))
    canvas.box(x - 0.045, base - 0.17, x + 0.045, base, (70, 44, 28))
    for side in (-1, 1):
        middle = x + side * half * 0.62
        canvas.box(middle - 0.045, eaves + 0.06, middle + 0.045, eaves + 0.14, (214, 238, 250))


def _trees(canvas: Canvas, scene: Scene) -> None:
    _sky(canvas, scene.place, _GROUNDS[scene.background])
    radius = canvas.near(0.105, 0.006)
    for i in range(scene.count):
        x = canvas.near(0.5 + (i - (scene.count - 1) / 2) * 0.235, 0.012)
        base = canvas.near(0.82, 0.03)
        canvas.box(x - 0.022, base - 0.2, x + 0.022, base, (96, 62, 38))
        canvas.disc(x, base - 0.28, radius, canvas.shade(scene.colour), 1.35)


def _mountains(canvas: Canvas, scene: Scene) -> None:
    _sky(canvas, scene.place, _GROUNDS["grass"])
    step, half = 0.3, 0.17 if scene.count > 1 else 0.3
    for i in range(scene.count):
        x = canvas.near(0.5 + (i - (scene.count - 1) / 2) * step, 0.015)
        peak = canvas.near(0.32, 0.025)
        colour = canvas.shade(scene.colour)
        canvas.polygon([(x - half, 0.7), (x, peak), (x + half, 0.7)], colour)
        if scene.subject == "snowy":
            cap = 0.36
            y = peak + (0.7 - peak) * cap
            canvas.polygon([(x - half * cap, y), (x, peak), (x + half * cap, y)], (250, 252, 255))


def _sailboats(canvas: Canvas, scene: Scene) -> None:
    _sky(canvas, scene.place, (24, 96, 150))
    for i in range(scene.count):
        x = canvas.near(0.5 + (i - (scene.count - 1) / 2) * 0.3, 0.02)
        y = canvas.near(0.78, 0.04)
        hull = [(x - 0.13, y), (x + 0.13, y), (x + 0.08, y + 0.07), (x - 0.08, y + 0.07)]
        canvas.polygon(hull, (92, 58, 34))
        sail = [(x, y - 0.36), (x + 0.12, y - 0.03), (x - 0.1, y - 0.03)]
        canvas.polygon(sail, canvas.shade(scene.colour))


def _flowers(canvas: Canvas, scene: Scene) -> None:
    _sky(canvas, scene.place, _GROUNDS["grass"])
    step = 0.19
    for i in range(scene.count):
        x = canvas.near(0.5 + (i - (scene.count - 1) / 2) * step, 0.01)
        y, colour = canvas.near(0.54, 0.05), canvas.shade(scene.colour)
        canvas.box(x - 0.011, y, x + 0.011, 0.88, (30, 104, 44))
        for petal in range(5):
            angle = math.tau * petal / 5
            canvas.disc(x + 0.05 * math.cos(angle), y + 0.05 * math.sin(angle), 0.038, colour)
        canvas.disc(x, y, 0.028, (70, 46, 20))


def _night(canvas: Canvas, scene: Scene) -> None:
    canvas.fill(canvas.vary((8, 10, 36)), canvas.vary((26, 32, 76)))
    for at in spread(canvas, scene.count, (0.33, 0.58)):
        canvas.shape("star", at, canvas.near(0.07, 0.006), (250, 236, 130))
    moon = (canvas.near(0.5, 0.3), canvas.near(0.12, 0.015))
    if scene.subject == "full moon":
        canvas.disc(*moon, 0.085, (246, 240, 206))
    elif scene.subject == "crescent moon":
        canvas.shape("crescent", moon, 0.085, (246, 240, 206))
    _night_ground(canvas, scene.background)


def _night_ground(canvas: Canvas, ground: str) -> None:
    if ground == "sea":
        canvas.box(canvas.left, 0.8, canvas.right, canvas.bottom, canvas.vary((22, 84, 130)))
        return
    x = canvas.left - canvas.rng.random() * 0.2
    while x < canvas.right + 0.3:
        if ground == "hills":
            canvas.disc(x, 1.08, 0.3, canvas.vary((34, 78, 44)))
        else:
            canvas.box(x, 0.84, x + 0.22, canvas.bottom, canvas.vary((92, 60, 50)))
            canvas.polygon([(x, 0.85), (x + 0.11, 0.75), (x + 0.22, 0.85)], (150, 58, 44))
        x += 0.26
    canvas.box(canvas.left, 0.97, canvas.right, canvas.bottom, (30, 56, 40))


def _with_rain(painter: Callable[[Canvas, Scene], None]) -> Callable[[Canvas, Scene], None]:
    def paint_both(canvas: Canvas, scene: Scene) -> None:
        painter(canvas, scene)
        _rain(canvas, scene)

    return paint_both


_PAINTERS: dict[str, Callable[[Canvas, Scene], None]] = {
    "single": _single,
    "count": _count,
    "pair": _pair,
    "texture": _texture,
    "house": _with_rain(_house),
    "tree": _with_rain(_trees),
    "mountain": _with_rain(_mountains),
    "sailboat": _with_rain(_sailboats),
    "flower": _with_rain(_flowers),
    "night": _night,
}
