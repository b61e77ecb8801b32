"""How the networks that tell a fish from its background are opened, by name or from a file.

Owns the border to rembg: its errors become ours here, and it is imported only when a session is
opened. It does not know what the masks are for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, cast

from PIL import Image

FILE = "file:"
"""Before the path of an ONNX file of the form of U²-Net: 1 × 3 × 320 × 320 in, 1 × 1 × 320 × 320 out."""


class SessionUnavailable(RuntimeError):
    """A segmentation network could not be loaded; the message says how to mend it."""


class Segmenter(Protocol):
    """What a rembg session is: it says which pixels belong to the thing in front."""

    def predict(self, img: Image.Image, /) -> list[Image.Image]:
        """Return masks (mode L, 255 in front) of the size of the picture."""


def open_session(name: str) -> Segmenter:
    """Open a rembg session by name, or a file of one's own (``file:PATH.onnx``).

    Raises ValueError for an unknown name and for one whose session sends pictures to another
    machine, SessionUnavailable if the weights cannot be had: rembg downloads them at first use.
    """
    if name.startswith(FILE):
        return _of_file(Path(name.removeprefix(FILE)))
    with _without_compiling():
        from rembg.sessions import sessions

    if name not in sessions:
        raise ValueError(f"there is no rembg session {name!r}; allowed: {FILE}PATH.onnx, {', '.join(sorted(sessions))}")
    if not sessions[name].is_local():
        raise ValueError(f"rembg session {name!r} sends pictures to another machine; choose one that runs on this one")
    return _of_name(name, sessions[name])


def _of_name(name: str, kind: Any) -> Segmenter:
    from rembg import new_session

    try:
        return cast(Segmenter, new_session(name))
    except Exception as error:
        # What fails hangs on the network, the disk and the session (requests, urllib3, OSError,
        # onnxruntime, …); whatever it is, the run cannot go on and the remedy is the same.
        raise SessionUnavailable(
            f"rembg session {name!r} could not be opened ({type(error).__name__}: {error}). Its weights are downloaded "
            f"at first use: put them into {kind.model_dir()} by hand (U2NET_HOME or REMBG_HOME chooses another "
            f'folder), or name a network of your own: session = "{FILE}PATH.onnx"'
        ) from error


def _of_file(path: Path) -> Segmenter:
    if not path.is_file():
        raise SessionUnavailable(f"there is no segmentation network {path}")
    import onnxruntime

    with _without_compiling():
        from rembg.sessions.u2net_custom import U2netCustomSession

    class FileSession(U2netCustomSession):  # type: ignore[misc]
        """rembg's session for networks of one's own, wherever the file lies; rembg allows its own folder only."""

        @classmethod
        def validate_model_path(cls, *args: Any, **kwargs: Any) -> str:
            return str(path)

    try:
        options = onnxruntime.SessionOptions()
        return cast(Segmenter, FileSession(FileSession.name(), options, model_path=str(path)))
    except Exception as error:  # onnxruntime's errors share no ancestor but this
        raise SessionUnavailable(
            f"{path} is no network that onnxruntime can run ({type(error).__name__}: {error})"
        ) from error


@contextmanager
def _without_compiling() -> Iterator[None]:
    """Import what the block imports without numba's compiler.

    rembg brings alpha matting along, which nobody here asks for; to compile it at its first import takes a minute.
    """
    import numba

    config: Any = numba.config
    before, config.DISABLE_JIT = config.DISABLE_JIT, 1
    try:
        yield
    finally:
        config.DISABLE_JIT = before
