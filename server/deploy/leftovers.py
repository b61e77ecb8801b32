"""What a change of a model left behind when its server went away.

Owns that a server starts from a clear state: with it, all versions beside the default are gone, and so is the change.
"""

from __future__ import annotations

from server.configuration import Settings
from server.deploy.journal import Phase, read_journal, remove_journal
from server.deploy.shelf import put_in_place, take_away
from server.deploy.traffic import forget_traffic


def clear_leftovers(settings: Settings) -> None:
    """Finish the change if its old versions were on their way out, undo it otherwise; raise DeployError.

    To be called while no TorchServe runs, before its archives are looked at.
    """
    forget_traffic(settings.home)
    found = read_journal(settings.home)
    if found is None:
        return
    if found.phase is Phase.REMOVING:
        put_in_place(settings.store, found.changes)
    else:
        take_away(settings.store, found.changes)
    remove_journal(settings.home)
