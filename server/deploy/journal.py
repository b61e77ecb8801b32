"""What is known of a change that is under way, so that whoever comes after an interruption finds a clear state.

Owns the journal's form and its writing in one step. It is written before each step that it names, and removed last.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from server.deploy.errors import DeployError
from server.storing import write_whole

JOURNAL = "deployment.json"


class Phase(str, Enum):
    """How far a change has come, and so what mends it after an interruption."""

    PREPARING = "preparing"  # nobody is sent to the new versions: it is undone
    CANARY = "canary"  # it waits for --promote or --roll-back
    SWITCHING = "switching"  # the new ones were found good: it goes on, or back if they are not good any more
    REMOVING = "removing"  # the old ones are being removed: it goes on
    ROLLING_BACK = "rolling back"  # it goes on going back


WHAT_ENDS_IT = {
    Phase.PREPARING: "scripts/deploy_model --roll-back clears it away",
    Phase.CANARY: "end it with scripts/deploy_model --promote or scripts/deploy_model --roll-back",
    Phase.SWITCHING: "scripts/deploy_model --promote goes on with it, --roll-back undoes it",
    Phase.REMOVING: "scripts/deploy_model --promote brings it to its end",
    Phase.ROLLING_BACK: "scripts/deploy_model --roll-back goes on with it",
}
"""What to tell who finds a change that nobody is at work on."""


@dataclass(frozen=True)
class Change:
    """One model's change.

    ``model`` is ``expert`` or ``zero_shot``, ``name`` TorchServe's name of it, ``old`` and ``new`` are its versions,
    ``stamp`` is the hash of what the new archive is made of.
    """

    model: str
    name: str
    old: str
    new: str
    stamp: str

    @property
    def path(self) -> str:
        """The new version's address below ``/predictions/``."""
        return f"{self.name}/{self.new}"

    @property
    def archive(self) -> str:
        """The name of the new version's archive in the store, until it takes the old one's place."""
        return f"{self.model}-{self.new}.mar"

    @property
    def place(self) -> str:
        """The name of the archive that a start of the server loads."""
        return f"{self.model}.mar"


@dataclass(frozen=True)
class Deployment:
    """A change of one or both models to those of ``pack``; ``share`` is the canary's, 0.0 to 1.0.

    ``golden`` is the golden set that was given, ``is_whole`` says whether both models of the pack were wanted.
    """

    pack: str
    phase: Phase
    changes: tuple[Change, ...]
    share: float = 0.0
    golden: str | None = None
    is_whole: bool = False

    @property
    def paths(self) -> list[str]:
        """The new versions' addresses."""
        return [change.path for change in self.changes]


def read_journal(home: Path) -> Deployment | None:
    """Return the change that is under way, None if there is none; raise DeployError for a journal that is none."""
    path = home / JOURNAL
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        changes = tuple(Change(**change) for change in value.pop("changes"))
        return Deployment(**{**value, "phase": Phase(value["phase"])}, changes=changes)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DeployError(f"{path} cannot be read ({error}); stop the server, remove the file, and start it") from None


def write_journal(home: Path, deployment: Deployment) -> None:
    """Write down how far a change has come."""
    write_whole(home / JOURNAL, json.dumps(asdict(deployment), indent=1))


def remove_journal(home: Path) -> None:
    """The change is over."""
    (home / JOURNAL).unlink(missing_ok=True)
