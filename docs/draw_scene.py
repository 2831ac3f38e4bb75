"""Draws dashboard/data/scene.png, the picture that comes with the dashboard: `python docs/draw_scene.py`."""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

SIDE = 224
FINE = 4  # drawn four times as large and then reduced: smooth edges
FILE = Path(__file__).parents[1] / "dashboard" / "data" / "scene.png"

Point = tuple[float, float]
Pen = ImageDraw.ImageDraw


def fine(*points: Point) -> list[Point]:
    """The points on the large drawing."""
    return [(x * FINE, y * FINE) for x, y in points]


def disc(pen: Pen, x: float, y: float, across: float, down: float, colour: str) -> None:
    """Draws a filled ellipse around a point."""
    pen.ellipse(fine((x - across, y - down), (x + across, y + down)), fill=colour)


def sky() -> Image.Image:
    """A sky that grows lighter towards the horizon, with sun and clouds."""
    high, low = (74, 144, 217), (214, 235, 250)
    column = Image.new("RGB", (1, SIDE))
    for y in range(SIDE):
        share = min(1.0, y / 150)
        column.putpixel((0, y), tuple(round(a + (b - a) * share) for a, b in zip(high, low, strict=True)))
    picture = column.resize((SIDE * FINE, SIDE * FINE))
    glow = Image.new("L", picture.size)
    disc(ImageDraw.Draw(glow), 44, 40, 30, 30, "#b0b0b0")
    glow = glow.filter(ImageFilter.GaussianBlur(12 * FINE))
    picture.paste("#fff3c4", (0, 0), glow)
    pen = ImageDraw.Draw(picture)
    disc(pen, 44, 40, 19, 19, "#ffd54a")
    for x, y, size in [(128, 34, 1.0), (190, 58, 0.7)]:
        for dx, dy, r in [(-18, 4, 9), (-6, -2, 12), (8, 0, 11), (20, 5, 8)]:
            disc(pen, x + dx * size, y + dy * size, r * size * 1.15, r * size * 0.85, "#fbfdff")
    return picture


def hills(pen: Pen) -> None:
    """Two rows of hills and the meadow."""
    for base, height, wave, colour in [(138, 16, 0.024, "#9cc79a"), (150, 12, 0.035, "#7fb56d")]:
        edge = [(x, base - height * math.sin(wave * x + base)) for x in range(0, SIDE + 1, 2)]
        pen.polygon(fine(*edge, (SIDE, SIDE), (0, SIDE)), fill=colour)
    pen.polygon(fine((0, 166), (70, 160), (150, 164), (224, 158), (224, 224), (0, 224)), fill="#5f9e4c")


def house(pen: Pen) -> None:
    """A house with a red roof, and the path to its door."""
    pen.polygon(fine((116, 174), (134, 174), (162, 224), (118, 224)), fill="#d9c39a")  # the path
    pen.rectangle(fine((146, 82), (158, 112)), fill="#8d4a3a")
    pen.rectangle(fine((84, 116), (168, 174)), fill="#f2e3c6")
    pen.polygon(fine((74, 118), (126, 76), (178, 118)), fill="#b5493a")
    pen.rectangle(fine((115, 138), (135, 174)), fill="#7a4a2b")
    disc(pen, 131, 157, 1.6, 1.6, "#f0c95a")
    for x in (87, 141):
        pen.rectangle(fine((x, 130), (x + 22, 152)), fill="#ffffff")
        pen.rectangle(fine((x + 2, 132), (x + 20, 150)), fill="#6db3e0")
        pen.rectangle(fine((x + 10, 132), (x + 12, 150)), fill="#ffffff")
        pen.rectangle(fine((x + 2, 140), (x + 20, 142)), fill="#ffffff")


def tree(pen: Pen) -> None:
    """An apple tree."""
    pen.polygon(fine((191, 188), (195, 130), (203, 130), (208, 188)), fill="#6b4426")
    for x, y, r, colour in [
        (184, 120, 19, "#2f6b34"),
        (212, 118, 19, "#2f6b34"),
        (198, 100, 24, "#3a7d3f"),
        (190, 112, 16, "#458c49"),
        (204, 92, 13, "#559c57"),
    ]:
        disc(pen, x, y, r, r, colour)
    for x, y in [(186, 126), (204, 118), (212, 104), (194, 94)]:
        disc(pen, x, y, 2.6, 2.6, "#d8402f")


def cat(pen: Pen) -> None:
    """A ginger cat that sits on the grass and looks at us."""
    coat, dark, pale = "#e08a3c", "#b5651f", "#f8e3c8"
    for t in range(52):
        disc(pen, 70 + 22 * math.sin(t / 22), 207 - t, 4.2, 4.2, dark if t > 43 or t in (16, 17, 29, 30) else coat)
    disc(pen, 52, 192, 25, 24, coat)
    disc(pen, 50, 198, 13, 16, pale)
    for x in (41, 60):
        disc(pen, x, 213, 8, 5, pale)
    for side in (-1, 1):
        tip, inner = (50 + side * 19, 130), (50 + side * 16.5, 136)
        pen.polygon(fine((50 + side * 3, 146), tip, (50 + side * 22, 158)), fill=coat)
        pen.polygon(fine((50 + side * 8, 146), inner, (50 + side * 18, 154)), fill="#f2b6a0")
    disc(pen, 50, 160, 23, 20, coat)
    for x in (44, 50, 56):
        pen.line(fine((x, 141), (50 + (x - 50) * 0.8, 150)), fill=dark, width=3 * FINE)
    disc(pen, 50, 170, 11, 8, pale)
    for x in (41, 59):
        disc(pen, x, 159, 5, 5.5, "#fdfdf5")
        disc(pen, x, 159, 3.9, 4.6, "#5d9b3a")
        disc(pen, x, 159, 1.7, 4.2, "#161616")
        disc(pen, x + 1, 157, 1, 1, "#ffffff")
    pen.polygon(fine((47, 165.5), (53, 165.5), (50, 169)), fill="#c9605e")
    for side in (-1, 1):
        pen.arc(fine((50 + side * 4 - 4, 166), (50 + side * 4 + 4, 174)), 10, 170, fill="#7a4a2b", width=FINE)
        for y in (167, 170, 173):
            pen.line(fine((50 + side * 9, y), (50 + side * 29, y + (y - 170) * 1.2)), fill="#fff7ea", width=FINE)


def flowers(pen: Pen) -> None:
    """Four flowers in the grass."""
    for x, y, colour in [(14, 186, "#f4d03f"), (168, 200, "#e85d75"), (182, 212, "#f4d03f"), (104, 212, "#e85d75")]:
        pen.line(fine((x, y), (x, y + 9)), fill="#3c7a33", width=FINE)
        for turn in range(5):
            angle = turn * math.tau / 5
            disc(pen, x + 3 * math.cos(angle), y + 3 * math.sin(angle), 2.3, 2.3, colour)
        disc(pen, x, y, 1.8, 1.8, "#fff6d5")


def main() -> None:
    """Draws everything and writes the file."""
    picture = sky()
    pen = ImageDraw.Draw(picture)
    for part in (hills, house, tree, flowers, cat):
        part(pen)
    picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(FILE, optimize=True)


if __name__ == "__main__":
    main()
