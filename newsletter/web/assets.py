"""Style sheets and scripts, served from memory under a name that changes with their content."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path

from starlette.responses import Response

A_YEAR_S = 365 * 24 * 3600


class Assets:
    """Every file below ``folder``, read once. Never touches the disk while serving, so no path can escape."""

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, tuple[bytes, str, str]] = {}
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            content = path.read_bytes()
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            digest = hashlib.sha256(content).hexdigest()[:16]
            self._files[path.relative_to(folder).as_posix()] = (content, digest, kind)

    def url(self, name: str) -> str:
        """``/static/<digest>/studio.css``. Raises KeyError for a file that is not there."""
        return f"/static/{self._files[name][1]}/{name}"

    def response(self, digest: str, name: str, if_none_match: str) -> Response | None:
        """The file, 304 where the browser has it, or None where there is no such file of this content."""
        content, current, kind = self._files.get(name, (b"", "", ""))
        if not current or digest != current:
            return None
        headers = {"ETag": f'"{current}"', "Cache-Control": f"public, max-age={A_YEAR_S}, immutable"}
        if headers["ETag"] in if_none_match:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=kind, headers=headers)
