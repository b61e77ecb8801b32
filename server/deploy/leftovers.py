"""What a change of a model left behind when its server went away.

Owns that a server starts from a clear state: with it, all versions beside the default are gone, and so is the change.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from server.configuration import Settings, recall
from server.deploy.embeddings import scratch_folder
from server.deploy.journal import Phase, read_journal, remove_journal
from server.deploy.shelf import put_in_place, take_away
from server.deploy.traffic import forget_traffic


def clear_leftovers(settings: Settings) -> None:
    """Finish the change if its old versions were on their way out, undo it otherwise; raise DeployError.

    To be called while no TorchServe runs, before its archives are looked at.
    """
    forget_traffic(settings.home)
    # Else it would be taken, later, for what another change laid into the server's folder.
    shutil.rmtree(scratch_folder(settings.home), ignore_errors=True)
    found = read_journal(settings.home)
    if found is None:
        return
    if found.phase is Phase.REMOVING:
        put_in_place(settings.store, found.changes)
    else:
        take_away(settings.store, found.changes)
    remove_journal(settings.home)


def remembered_pack(home: Path) -> str:
    """Return the pack that a start serves unless it is told another; raise DeployError.

    It is that of a change whose old versions were on their way out, even if the change could not say so any more.
    """
    found = read_journal(home)
    if found is not None and found.phase is Phase.REMOVING and found.is_whole:
        return found.pack
    return recall(home).pack
