"""The change of a model from its first step to its last, or back.

Owns the order of the steps, and what mends a change that was interrupted: up to the canary it is undone, from the
switch on it goes on, unless it is to be rolled back. Why this order: docs/decisions/blue_green.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from server.archives import ModelSource, source_fingerprint, version_of
from server.configuration import Settings, remember
from server.deploy.errors import DeployError
from server.deploy.journal import Change, Deployment, Phase, read_journal
from server.deploy.registry import Limits, Registry, said_plainly
from server.deploy.steps import Steps
from server.management import MODEL_NAMES, ManagementError, TorchServe

DEFAULT_LIMITS = Limits()


class Deployer:
    """Changes the models of one running server. Its methods raise DeployError, ManagementError or BuildError.

    ``has_gateway`` tells whether a gateway runs before it, whose packets are to be waited for.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        has_gateway: Callable[[], bool],
        say: Callable[[str], None],
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._settings = settings
        self._home = settings.home
        self._say = say
        self._registry = Registry(TorchServe(settings), limits, say)
        self._steps = Steps(settings, self._registry, has_gateway=has_gateway, say=say, limits=limits)

    def deploy(
        self, pack: str, sources: Sequence[ModelSource], *, golden: Path | None = None, share: float | None = None
    ) -> bool:
        """Put the models of ``sources`` in the place of those that run; return whether there was anything to do.

        With ``share`` it stops at the canary. Whatever fails or interrupts it before the old versions are being
        removed is undone, and the error goes on.
        """
        if self.mend() is not None:
            raise DeployError("a canary is under way; end it with --promote or --roll-back first")
        planned = [(source, change) for source in sources if (change := self._change(source)) is not None]
        is_whole = {source.name for source in sources} == set(self._settings.served_models)
        if not planned:
            if is_whole:  # each for itself came before: now it is known that the pack is served
                remember(replace(self._settings, pack=pack))
            return False
        given = None if golden is None else str(golden.resolve())
        changes = tuple(change for _, change in planned)
        deployment = Deployment(pack, Phase.PREPARING, changes, golden=given, is_whole=is_whole)
        self._undone_if_it_fails(lambda: self._steps.prepare(deployment, [source for source, _ in planned]))
        if share is None:
            self._promote(deployment)
        else:
            self._undone_if_it_fails(lambda: self._steps.divide(deployment, share))
        return True

    def share(self, share: float) -> None:
        """Give the canary that is under way another share; raise DeployError if there is none."""
        found = self.mend()
        if found is None:
            raise _no_canary()
        self._undone_if_it_fails(lambda: self._steps.divide(found, share))

    def promote(self) -> None:
        """Send everybody to the new versions of the canary that is under way, and remove the old.

        A switch that was interrupted goes on. Raises DeployError if there is nothing to promote.
        """
        begun = read_journal(self._home)
        found = self.mend()
        if found is not None:
            self._promote(found)
        elif begun is None or not all(self._is_default(change) for change in begun.changes):
            raise _no_canary()

    def roll_back(self) -> bool:
        """Undo what is under way; return whether there was anything. Raises DeployError if it is too late."""
        found = read_journal(self._home)
        if found is None:
            return False
        if found.phase is Phase.REMOVING and self._is_there(found):
            self._steps.finish(found)
            raise DeployError("too late: the old versions were being removed; deploy the old pack")
        self._steps.undo(found)
        return True

    def mend(self) -> Deployment | None:
        """Bring what was interrupted into a clear state; return the canary that is under way, or None."""
        found = read_journal(self._home)
        if found is None:
            return None
        is_there = self._is_there(found)
        if found.phase is Phase.CANARY and is_there:
            return found
        self._say(f"an earlier change was interrupted ({found.phase.value})")
        if found.phase is Phase.REMOVING and is_there:
            self._steps.finish(found)
        elif found.phase is Phase.SWITCHING and is_there:
            self._promote(found)
        else:
            self._steps.undo(found)
        return None

    def _promote(self, deployment: Deployment) -> None:
        self._undone_if_it_fails(lambda: self._steps.switch(deployment))
        self._steps.finish(deployment)

    def _undone_if_it_fails(self, step: Callable[[], None]) -> None:
        """Undo the change if a step fails or is interrupted; what made it fail goes on."""
        try:
            step()
        except BaseException as error:
            self._say(f"it did not go well: {said_plainly(error)}")
            found = read_journal(self._home)
            if found is not None:
                self._undo_after(error, found)
            raise

    def _undo_after(self, error: BaseException, found: Deployment) -> None:
        try:
            self._steps.undo(found)
        except (DeployError, ManagementError) as second:
            raise DeployError(
                f"{said_plainly(error)}; and rolling back did not go to its end: {said_plainly(second)}. "
                "Run scripts/deploy_model --roll-back to go on with that"
            ) from error

    def _is_there(self, deployment: Deployment) -> bool:
        return all(self._registry.has(change.name, change.new) for change in deployment.changes)

    def _is_default(self, change: Change) -> bool:
        return self._registry.default(change.name) == change.new

    def _change(self, source: ModelSource) -> Change | None:
        """Return what is to be done for a model, None if it is served already."""
        name, new = MODEL_NAMES[source.name], version_of(source)
        old = self._registry.default(name)
        if old == new:
            self._say(f"{name} {old} is served already")
            return None
        return Change(source.name, name, old=old, new=new, stamp=source_fingerprint(source))


def _no_canary() -> DeployError:
    return DeployError("no canary is under way; start one with scripts/deploy_model PACK --canary SHARE")
