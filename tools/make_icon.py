"""Draw the icon, four tiles of sky that meet without a seam, and the marks of ticked boxes into `icon`."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

FOLDER = Path(__file__).resolve().parents[1] / "icon"
SIDE = 1024
TILES = ((90, 110, 500, 520), (430, 70, 930, 480), (120, 440, 560, 930), (490, 410, 910, 890))
STARS = ((300, 280, 30), (700, 230, 20), (640, 620, 44), (290, 720, 22), (800, 760, 26), (480, 440, 16), (420, 600, 12))


def drawn() -> Image.Image:
    """Return the icon, 1024 x 1024, RGBA."""
    icon = Image.new("RGBA", (SIDE, SIDE))
    ImageDraw.Draw(icon).rounded_rectangle((16, 16, SIDE - 16, SIDE - 16), 210, "#12151b")
    shape = Image.new("L", (SIDE, SIDE))
    for box in TILES:
        ImageDraw.Draw(shape).rounded_rectangle(box, 36, 255)
    glow = Image.new("RGB", (SIDE, SIDE), "#22306e")
    pen = ImageDraw.Draw(glow)
    pen.ellipse((240, 300, 860, 800), fill="#6f8dfb")
    pen.ellipse((420, 420, 760, 720), fill="#f3b7d4")
    icon.paste(glow.filter(ImageFilter.GaussianBlur(110)), (0, 0), shape)
    pen = ImageDraw.Draw(icon)
    for x, y, size in STARS:
        for dx, dy in ((size * 2.2, size * 0.22), (size * 0.22, size * 2.2), (size * 0.6, size * 0.6)):
            pen.ellipse((x - dx, y - dy, x + dx, y + dy), fill="white")
    return icon


def tick(ink: str) -> Image.Image:
    """Return a tick mark, 26 x 26, RGBA."""
    mark = Image.new("RGBA", (104, 104))
    ImageDraw.Draw(mark).line([(20, 54), (44, 78), (86, 26)], ink, 15, joint="curve")
    return mark.resize((26, 26), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    whole = drawn()
    whole.resize((256, 256), Image.Resampling.LANCZOS).save(FOLDER / "zemosaic.png", optimize=True)
    whole.save(FOLDER / "zemosaic.ico", sizes=[(16, 16), (32, 32), (48, 48), (64, 64), (128, 128), (256, 256)])
    for name in ("white", "black"):
        tick(name).save(FOLDER / f"tick_{name}.png", optimize=True)
