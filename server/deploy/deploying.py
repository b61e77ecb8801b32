"""The change of a model from its first step to its last, or back.

Owns the order of the steps, and what mends a change that was interrupted: up to the canary it is undone, from the
switch on it goes on. Each step may be done twice. Why this order: docs/decisions/blue_green.md.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from server.archives import ModelSource, source_fingerprint, version_of
from server.bootstrap import ROOT
from server.configuration import Settings, remember
from server.deploy import traffic
from server.deploy.embeddings import drop_new_embeddings, drop_old_embeddings, lay_embeddings_beside, scratch_folder
from server.deploy.errors import DeployError
from server.deploy.golden import GoldenSet, golden_file, read_golden
from server.deploy.journal import Change, Deployment, Phase, read_journal, remove_journal, write_journal
from server.deploy.registry import Limits, Registry, said_plainly, wait_for
from server.deploy.shelf import lay_beside, put_in_place, take_away
from server.management import MODEL_NAMES, ManagementError, TorchServe

MODELS = ("expert", "zero_shot")
"""What a pack holds."""

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
        self._has_gateway = has_gateway
        self._say = say
        self._limits = limits
        self._registry = Registry(TorchServe(settings), limits, say)

    def deploy(
        self, pack: str, sources: Sequence[ModelSource], *, golden: Path | None = None, share: float | None = None
    ) -> bool:
        """Put the models of ``sources`` in the place of those that run; return whether there was anything to do.

        With ``share`` it stops at the canary. Whatever fails or interrupts it before the old versions are being
        removed is undone, and the error goes on.
        """
        if self.mend() is not None:
            raise DeployError("a canary is under way; end it with --promote or --roll-back first")
        changes = tuple(change for source in sources if (change := self._change(source)) is not None)
        if not changes:
            return False
        given = None if golden is None else str(golden.resolve())
        deployment = Deployment(pack, Phase.PREPARING, changes, golden=given, is_whole=len(sources) == len(MODELS))
        with_undo = self._undone_if_it_fails
        with_undo(lambda: self._prepare(deployment, [one for one in sources if _is_among(one, changes)]))
        if share is None:
            self.promote(deployment)
        else:
            with_undo(lambda: self._divide(deployment, share))
        return True

    def share(self, share: float) -> None:
        """Give the canary that is under way another share; raise DeployError if there is none."""
        found = self._canary()
        self._undone_if_it_fails(lambda: self._divide(found, share))

    def promote(self, deployment: Deployment | None = None) -> None:
        """Send everybody to the new versions and remove the old; of the canary under way, if none is given."""
        found = deployment or self._canary()
        self._undone_if_it_fails(lambda: self._switch(found))
        self._finish(found)

    def roll_back(self) -> bool:
        """Undo what is under way; return whether there was anything."""
        found = self.mend()
        if found is not None:
            self._undo(found)
        return found is not None

    def mend(self) -> Deployment | None:
        """Bring what was interrupted into a clear state; return the canary that is under way, or None."""
        found = read_journal(self._home)
        if found is None:
            return None
        is_there = all(self._registry.has(change.name, change.new) for change in found.changes)
        if found.phase is Phase.CANARY and is_there:
            return found
        self._say(f"an earlier change was interrupted ({found.phase.value})")
        if found.phase is Phase.REMOVING and is_there:
            self._finish(found)
        elif found.phase is Phase.SWITCHING and is_there:
            self._undone_if_it_fails(lambda: self._switch(found))
            self._finish(found)
        else:
            self._undo(found)
        return None

    # The steps.

    def _prepare(self, deployment: Deployment, sources: Sequence[ModelSource]) -> None:
        """Build the new versions, register them beside the old, warm them and check them."""
        write_journal(self._home, deployment)
        goldens = _goldens(deployment)
        for change, source in zip(deployment.changes, sources, strict=True):
            self._say(f"building {change.archive}")
            lay_beside(self._settings.store, change, source, scratch=scratch_folder(self._home))
            if change.model == "zero_shot":
                lay_embeddings_beside(self._settings, deployment.pack, self._say)
        for change in deployment.changes:
            self._registry.add(change)
            self._registry.warm_up(change, goldens[change.model])
            self._registry.check(change, goldens[change.model])

    def _divide(self, deployment: Deployment, share: float) -> None:
        """Send a share of the packets to the new versions."""
        write_journal(self._home, replace(deployment, phase=Phase.CANARY, share=share))
        self._wait_for_gateway(traffic.send_share_to_new(self._home, deployment.changes, share), [])

    def _switch(self, deployment: Deployment) -> None:
        """Send everything to the new versions, and look at them again, now under load."""
        goldens = _goldens(deployment)
        write_journal(self._home, replace(deployment, phase=Phase.SWITCHING))
        self._say("switching")
        mark = traffic.send_to_new(self._home, deployment.changes)
        self._wait_for_gateway(mark, [change.name for change in deployment.changes])
        for change in deployment.changes:
            self._registry.check(change, goldens[change.model])
            self._registry.make_default(change.name, change.new)

    def _finish(self, deployment: Deployment) -> None:
        """Remove the old versions; from here on there is no way back, for they may be gone."""
        write_journal(self._home, replace(deployment, phase=Phase.REMOVING))
        put_in_place(self._settings.store, deployment.changes)
        for change in deployment.changes:
            self._registry.drain(change.name, change.old)
            self._registry.remove(change.name, change.old)
            self._say(f"{change.name} {change.old} is removed; {change.new} is served")
        self._wait_for_gateway(traffic.send_to_default(self._home), [])
        if any(change.model == "zero_shot" for change in deployment.changes):
            drop_old_embeddings(self._settings)
        if deployment.is_whole:
            remember(replace(self._settings, pack=deployment.pack))
        self._close()

    def _undo(self, deployment: Deployment) -> None:
        """Send everything to the old versions and remove the new."""
        self._say("rolling back")
        write_journal(self._home, replace(deployment, phase=Phase.ROLLING_BACK))
        for change in deployment.changes:
            if self._registry.default(change.name) == change.new and self._registry.has(change.name, change.old):
                self._registry.make_default(change.name, change.old)
        self._wait_for_gateway(traffic.send_to_default(self._home), deployment.paths)
        for change in deployment.changes:
            self._registry.remove(change.name, change.new)
        take_away(self._settings.store, deployment.changes)
        drop_new_embeddings(self._settings)
        self._close()
        self._say("rolled back: what was served before is served")

    def _close(self) -> None:
        shutil.rmtree(scratch_folder(self._home), ignore_errors=True)
        remove_journal(self._home)

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
            self._undo(found)
        except (DeployError, ManagementError) as second:
            raise DeployError(
                f"{said_plainly(error)}; and rolling back did not go to its end: {said_plainly(second)}. "
                "Run scripts/deploy_model --roll-back to go on with that"
            ) from error

    # What there is.

    def _canary(self) -> Deployment:
        found = self.mend()
        if found is None:
            raise DeployError("no canary is under way; start one with scripts/deploy_model PACK --canary SHARE")
        return found

    def _change(self, source: ModelSource) -> Change | None:
        """Return what is to be done for a model, None if it is served already."""
        name, new = MODEL_NAMES[source.name], version_of(source)
        old = self._registry.default(name)
        if old == new:
            self._say(f"{name} {old} is served already")
            return None
        return Change(source.name, name, old=old, new=new, stamp=source_fingerprint(source))

    def _wait_for_gateway(self, mark: str, paths: Sequence[str]) -> None:
        """Wait until the gateway, if there is one, follows, and nothing is under way to ``paths`` any more."""
        wait_for(
            lambda: not self._has_gateway() or traffic.has_left(self._home, mark, paths),
            limit_s=self._limits.follow_s,
            every_s=self._limits.look_every_s,
            what="the gateway does not follow, or does not finish what is under way,",
        )


def _is_among(source: ModelSource, changes: Sequence[Change]) -> bool:
    return any(change.model == source.name for change in changes)


def _goldens(deployment: Deployment) -> dict[str, GoldenSet]:
    given = Path(deployment.golden) if deployment.golden else None
    folders = {change.model: ROOT / "models" / change.model / deployment.pack for change in deployment.changes}
    return {model: read_golden(golden_file(given, folder), pack=deployment.pack) for model, folder in folders.items()}
