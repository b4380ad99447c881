"""Pillow in a process of its own; :mod:`newsletter.compose.shrink` starts it for one picture.

A picture is foreign code's food: it may be a bomb (a few kilobytes that become gigabytes) or make a decoder
work for minutes. The process reads it from stdin under limits of memory and CPU time, and writes a line of
JSON, then the copy's bytes where one is made. Only formats that are asked for are decoded at all.

Imports nothing of the product.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
from io import BytesIO
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

WIDTH: Final = 1200  #: pixels: twice what is shown, for dense screens
MOST_PIXELS: Final = 25_000_000
HEAVY: Final = 1024 * 1024
MEMORY: Final = 1024 * 1024 * 1024
CPU_S: Final = 20
SHOWN_EVERYWHERE: Final = frozenset({"JPEG", "PNG", "GIF"})
READ: Final = ("JPEG", "PNG", "GIF", "WEBP", "AVIF")


def main() -> None:
    with contextlib.suppress(ValueError, OSError):  # macOS may refuse the first
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    told, copy = look(sys.stdin.buffer.read())
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n" + copy)


def look(body: bytes) -> tuple[dict[str, object], bytes]:
    """A picture's size (upright), and a copy where mail needs one; or ``refused``: why it cannot be used."""
    from PIL import Image, ImageFile

    ImageFile.LOAD_TRUNCATED_IMAGES = False
    Image.MAX_IMAGE_PIXELS = None  # it only warns; we refuse, and sooner
    try:
        with Image.open(BytesIO(body), formats=READ) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                return {"refused": f"has {width * height / 1e6:.0f} million pixels"}, b""
            kind = image.format or ""
            turned = image.getexif().get(0x0112, 1) >= 5  # by a quarter (Exif 2.3, Orientation)
            if turned:
                width, height = height, width
            size: dict[str, object] = {"width": width, "height": height}
            moves = kind == "GIF" and getattr(image, "n_frames", 1) > 1
            if kind in SHOWN_EVERYWHERE and (moves or len(body) <= HEAVY):
                return size, b""
            if kind == "JPEG" and width > WIDTH:  # decoded at a smaller scale, large enough still
                across, down = image.size
                image.draft("RGB", (across * WIDTH // width + 1, down * WIDTH // width + 1))
            ending, copy = _copy(image, kind)
            return {**size, "ending": ending}, copy
    except MemoryError:
        return {"refused": "takes too much memory"}, b""
    except Exception:  # a decoder may raise anything for a broken picture
        return {"refused": "cannot be read"}, b""


def _copy(image: Picture, kind: str) -> tuple[str, bytes]:
    """At most ``WIDTH`` wide, upright, in sRGB, without Exif: JPEG, or PNG where it is see-through or was a
    PNG that stays light."""
    from PIL import Image, ImageOps

    profile = image.info.get("icc_profile")
    upright: Picture = ImageOps.exif_transpose(image)
    clear = _see_through(upright)
    plain = upright.convert("RGBA" if clear else "RGB")
    if plain.width > WIDTH:
        height = max(round(plain.height * WIDTH / plain.width), 1)
        plain = plain.resize((WIDTH, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    plain = _in_srgb(plain, profile)
    if clear or kind == "PNG":
        copy = _written(plain, "PNG")
        if clear or len(copy) <= HEAVY:
            return "png", copy
    copy = _written(plain, "JPEG", quality=85)
    return "jpg", copy if len(copy) <= HEAVY else _written(plain, "JPEG", quality=65)


def _see_through(image: Picture) -> bool:
    if "A" not in image.getbands() and "transparency" not in image.info:
        return False
    lowest, _ = image.convert("RGBA").getchannel("A").getextrema()
    return isinstance(lowest, int | float) and lowest < 255


def _in_srgb(image: Picture, profile: bytes | None) -> Picture:
    """The colours of a wide-gamut photograph as mail shows them: without its profile they would look dull."""
    if not profile:
        return image
    from PIL import ImageCms

    try:
        own = ImageCms.ImageCmsProfile(BytesIO(profile))
        turned = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"))
        return turned if turned is not None else image
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


def _written(image: Picture, form: str, **how: int) -> bytes:
    image.info = {}  # what Pillow would write on: Exif, comments, profiles
    out = BytesIO()
    image.save(out, form, optimize=True, **how)
    return out.getvalue()


if __name__ == "__main__":
    main()
