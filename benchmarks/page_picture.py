"""The README's picture of a leaderboard: its page in headless Chromium, on a desktop, in light colours.

    python benchmarks/page_picture.py RESULTS [--out docs/leaderboard.png] [--width 1440] [--height 1100]

The page is made anew from the rows of RESULTS, in a folder of its own, so that nothing of RESULTS is changed. The same
rows give the same picture wherever Chromium and the fonts are the same. It ends where the page does, or at the height.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image, ImageChops

from zoo.leaderboard.write import text
from zoo.support.errors import ZooError
from zoo.support.files import write_aside

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--disable-lcd-text"),
    *("--force-device-scale-factor=1", "--force-color-profile=srgb", "--font-render-hinting=none"),
)

MARGIN = 24
"""Pixels that are left beneath the page."""


def picture(results: Path, width: int, height: int) -> Image.Image:
    """The page of a results folder as it is seen without scrolling, RGB, at most ``height`` pixels high.

    Raises:
        ZooError: there is no Chromium, or it made no picture.
        DataError: the folder cannot be read.
    """
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        raise ZooError("no chromium here (Debian: apt install chromium)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        page, shot = folder / "index.html", folder / "page.png"
        # Light whatever the machine prefers.
        made = text(results, "html", out=page).replace("<html ", '<html data-theme="light" ', 1)
        page.write_text(made, encoding="utf-8")
        command = [browser, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{height}"]
        done = subprocess.run(
            [*command, f"--screenshot={shot}", page.as_uri()], capture_output=True, text=True, check=False
        )
        if not shot.is_file():
            raise ZooError(f"chromium made no picture: {done.stderr.strip().splitlines()[-1:]}")
        return cut(Image.open(io.BytesIO(shot.read_bytes())).convert("RGB"))


def cut(image: Image.Image) -> Image.Image:
    """Without the empty rest beneath the page: whatever has the colour of the lower left corner in all columns."""
    empty = Image.new("RGB", image.size, image.getpixel((0, image.height - 1)))
    box = ImageChops.difference(image, empty).getbbox()
    return image.crop((0, 0, image.width, min(image.height, box[3] + MARGIN))) if box else image


def main() -> None:
    """Make it and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="folder that `zoo benchmark` wrote")
    parser.add_argument("--out", type=Path, default=Path("docs/leaderboard.png"))
    parser.add_argument("--width", type=int, default=1440, help="pixels")
    parser.add_argument("--height", type=int, default=1100, help="pixels at most")
    args = parser.parse_args()
    try:
        image = picture(args.results, args.width, args.height)
    except ZooError as error:
        raise SystemExit(f"error: {error}") from error
    with write_aside(args.out) as part:
        image.save(part, "PNG", optimize=True)
    print(f"{args.out}: {image.width} x {image.height} pixels, {args.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
