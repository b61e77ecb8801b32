"""Archives and packs: whether they are there, those that were built, and built of what is here now."""

from __future__ import annotations

from collections.abc import Iterator

from server.archives import BuildError, model_sources, outdated
from server.configuration import Settings
from server.doctor.finding import Finding, broken, good, warning
from server.manifests import ManifestError, archives_in
from server.signatures import KEY_VARIABLE, public_key_file
from server.verifying import Untrusted, check_pack, check_store


def check_archives(settings: Settings) -> Iterator[Finding]:
    """Find archives that were tampered with, or that are older than what they are built of."""
    try:
        names = archives_in(settings.store) if settings.store.is_dir() else []
    except ManifestError as error:
        yield _refused("archives", error)
        return
    if not names:
        yield warning("archives", f"there are none in {settings.store}", "run scripts/serve, which builds them")
        return
    try:
        check_store(settings.store)
    except Untrusted as error:
        yield _refused("archives", error)
        return
    try:
        old = outdated(settings.store, pack=settings.pack, device=settings.device)
    except BuildError as error:
        yield broken("archives", f"it cannot be told whether they are current: {error}", "see the line about packs")
        return
    if old:
        yield warning("archives", f"{', '.join(old)}: not of what is here now", "run scripts/serve, which builds them")
    else:
        yield good("archives", f"{len(names)}, {_vouched_for()}, and current")


def check_packs(settings: Settings) -> Iterator[Finding]:
    """Find a model pack that is missing, was tampered with, or has no manifest."""
    try:
        for source in model_sources(settings.pack, settings.device):
            if source.model is not None:
                check_pack(source.model)
    except BuildError as error:
        yield broken("packs", str(error), "or serve another with scripts/serve --packs")
    except Untrusted as error:
        yield _refused("packs", error)
    else:
        yield good("packs", f"{settings.pack}, {_vouched_for()}")


def _refused(part: str, error: Untrusted | ManifestError) -> Finding:
    seen, _, advice = str(error).partition("; ")
    return broken(part, seen, advice)


def _vouched_for() -> str:
    return f"signed ({KEY_VARIABLE})" if public_key_file() else "as their manifests say (signatures are not demanded)"
