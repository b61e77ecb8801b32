"""The model hub: what a repository holds at a revision, and its files in the local cache.

The only module that speaks with ``huggingface_hub``; its many errors are translated here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import cast

from huggingface_hub import HfApi, constants, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import (  # type: ignore[attr-defined]
    build_hf_headers,
    hf_raise_for_status,
    http_backoff,
)

from fishgate.model_card import sha256_of
from packs.errors import HubError, in_one_line

_LIBRARY_HTTP_ERROR = cast(type[Exception], HfHubHTTPError.__bases__[0])
"""The root of the library's transport errors, whichever HTTP client this release of it uses."""

_UNREACHABLE = (LocalEntryNotFoundError, OfflineModeIsEnabled, _LIBRARY_HTTP_ERROR)
_TIMEOUT_S = 30.0
_RANGE_BYTES = 16 * 2**20


class RepositoryType(str, Enum):
    """What a repository holds; the values are the hub's own."""

    MODEL = "model"
    DATASET = "dataset"


@dataclass(frozen=True)
class RemoteFile:
    """A published file; size and SHA-256 are None where the hub does not tell them."""

    name: str
    size_bytes: int | None
    sha256: str | None


@dataclass(frozen=True)
class Snapshot:
    """A repository at one commit; ``revision`` is the whole commit hash."""

    repository: str
    revision: str
    files: Mapping[str, RemoteFile]
    type: RepositoryType = RepositoryType.MODEL

    def first_of(self, names: Sequence[str]) -> RemoteFile:
        """Return the first of ``names`` that is published; raise HubError if none is."""
        for name in names:
            if name in self.files:
                return self.files[name]
        seen = ", ".join(sorted(self.files)[:8]) or "no file at all"
        raise HubError(
            f"{self.repository} at {self.revision[:8]} has no {' or '.join(names)}; it has {seen}; "
            "pin a revision that has it with --revision"
        )


class Hub:
    """A hub behind ``endpoint``; None stands for the library's own settings, ``HF_ENDPOINT`` and ``HF_HOME``.

    ``tries_again`` is how often a part of a stream is asked for again before it is given up.
    """

    def __init__(self, endpoint: str | None = None, *, cache: Path | None = None, tries_again: int = 5) -> None:
        self._endpoint = endpoint
        self._tries_again = tries_again
        self.cache = cache or Path(constants.HF_HUB_CACHE)

    def snapshot(
        self, repository: str, revision: str | None, *, type: RepositoryType = RepositoryType.MODEL
    ) -> Snapshot:
        """Ask which commit a revision (by default the newest) is, and which files it has."""
        with _translated(repository, revision):
            api = HfApi(endpoint=self._endpoint)
            ask = api.dataset_info if type is RepositoryType.DATASET else api.model_info
            info = ask(repository, revision=revision, files_metadata=True, timeout=_TIMEOUT_S)
        if not info.sha:
            raise HubError(f"the hub did not say which commit {revision or 'the newest revision'} of {repository} is")
        files = [
            RemoteFile(entry.rfilename, entry.size, entry.lfs.sha256 if entry.lfs else None)
            for entry in info.siblings or []
        ]
        return Snapshot(repository, info.sha, {file.name: file for file in files}, type)

    def is_cached(self, snapshot: Snapshot, file: RemoteFile) -> bool:
        """Whether the file need not be downloaded again."""
        found = try_to_load_from_cache(
            snapshot.repository,
            file.name,
            cache_dir=self.cache,
            revision=snapshot.revision,
            repo_type=snapshot.type.value,
        )
        return isinstance(found, str)

    def download(self, snapshot: Snapshot, file: RemoteFile) -> Path:
        """Return the file in the cache, downloaded or resumed if need be; its hash is checked."""
        with _translated(snapshot.repository, snapshot.revision):
            path = Path(
                hf_hub_download(
                    snapshot.repository,
                    file.name,
                    revision=snapshot.revision,
                    endpoint=self._endpoint,
                    cache_dir=self.cache,
                    repo_type=snapshot.type.value,
                )
            )
        if file.sha256 and (seen := sha256_of(path)) != file.sha256:
            # The library would take the damaged file from its cache for ever.
            path.resolve().unlink()
            path.unlink(missing_ok=True)
            raise HubError(f"{file.name} arrived with SHA-256 {seen}, the hub says {file.sha256}; run again")
        return path

    def stream(self, snapshot: Snapshot, file: RemoteFile) -> Iterator[bytes]:
        """Give the file's bytes in order and in parts, without keeping it; its hash is checked at the end."""
        if file.size_bytes is None:
            raise HubError(f"the hub does not say how long {file.name} is, so it cannot be streamed")
        digest = hashlib.sha256()
        for start in range(0, file.size_bytes, _RANGE_BYTES):
            part = self._part(snapshot, file, start, min(start + _RANGE_BYTES, file.size_bytes))
            digest.update(part)
            yield part
        if file.sha256 and digest.hexdigest() != file.sha256:
            seen = digest.hexdigest()
            raise HubError(f"{file.name} arrived with SHA-256 {seen}, the hub says {file.sha256}; run again")

    def _part(self, snapshot: Snapshot, file: RemoteFile, start: int, end: int) -> bytes:
        with _translated(snapshot.repository, snapshot.revision):
            reply = http_backoff(
                "GET",
                hf_hub_url(
                    snapshot.repository,
                    file.name,
                    revision=snapshot.revision,
                    endpoint=self._endpoint,
                    repo_type=snapshot.type.value,
                ),
                headers={**build_hf_headers(), "Range": f"bytes={start}-{end - 1}"},
                timeout=_TIMEOUT_S,
                max_retries=self._tries_again,
                retry_on_exceptions=_LIBRARY_HTTP_ERROR,
            )
            hf_raise_for_status(reply)
        if len(reply.content) != end - start:
            seen = f"{len(reply.content)} bytes came when {end - start} of {file.name} were asked for"
            raise HubError(f"{seen}; the hub or a proxy before it does not give parts of files")
        return bytes(reply.content)


@contextmanager
def _translated(repository: str, revision: str | None) -> Iterator[None]:
    """Turn the library's errors into a HubError of one line."""
    try:
        yield
    except GatedRepoError:
        raise HubError(f"{repository} is gated; accept its terms on the hub and log in with 'hf auth login'") from None
    except RepositoryNotFoundError:
        raise HubError(f"the hub has no public repository {repository}; check --endpoint and HF_ENDPOINT") from None
    except RevisionNotFoundError:
        raise HubError(f"{repository} has no revision {revision!r}; give a branch, a tag or a commit hash") from None
    except LocalEntryNotFoundError as error:
        raise HubError(_unreachable(error.__cause__ or error)) from None
    except EntryNotFoundError as error:
        raise HubError(f"{repository} lacks a file: {in_one_line(error)}") from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise HubError(f"the hub answered {status} when asked for {repository}; try again later") from None
    except _UNREACHABLE as error:
        raise HubError(_unreachable(error)) from None
    except OSError as error:
        raise HubError(f"the download of {repository} failed: {in_one_line(error)}; run again to resume it") from None
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise HubError(
            f"the answer about {repository} is not a model hub's: {in_one_line(error)}; "
            "check --endpoint and HF_ENDPOINT"
        ) from None


def _unreachable(error: BaseException) -> str:
    return (
        f"the hub cannot be reached ({in_one_line(error)}); "
        "check the network, or name a mirror with --endpoint or HF_ENDPOINT"
    )
