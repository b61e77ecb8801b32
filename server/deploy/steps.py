"""The steps of a change, forward and back: what is done at TorchServe, in the store and before the gateway's eyes.

Owns what a step does, and that the journal names it first. Each may be done twice. Which step comes when, and what
mends an interrupted one, is ``server.deploy.deploying``'s; why this order: docs/decisions/blue_green.md.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from server.archives import ModelSource
from server.bootstrap import ROOT
from server.configuration import Settings, remember
from server.deploy import traffic
from server.deploy.embeddings import drop_new_embeddings, drop_old_embeddings, lay_embeddings_beside, scratch_folder
from server.deploy.errors import DeployError
from server.deploy.golden import GoldenSet, golden_file, read_golden
from server.deploy.journal import Deployment, Phase, remove_journal, write_journal
from server.deploy.registry import Limits, Registry, wait_for
from server.deploy.shelf import check_laid, lay_beside, put_in_place, take_away


class Steps:
    """The steps at one running server. They raise DeployError, ManagementError or BuildError.

    ``has_gateway`` tells whether a gateway runs before it, whose packets are to be waited for.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        *,
        has_gateway: Callable[[], bool],
        say: Callable[[str], None],
        limits: Limits,
    ) -> None:
        self._settings = settings
        self._home = settings.home
        self._registry = registry
        self._has_gateway = has_gateway
        self._say = say
        self._limits = limits

    def prepare(self, deployment: Deployment, sources: Sequence[ModelSource]) -> None:
        """Build the new versions, register them beside the old, warm them and check them."""
        write_journal(self._home, deployment)
        goldens = _goldens(deployment)
        for change, source in zip(deployment.changes, sources, strict=True):
            self._say(f"building {change.archive}")
            lay_beside(self._settings.store, change, source, scratch=scratch_folder(self._home))
            if change.model == "zero_shot":
                lay_embeddings_beside(self._settings, deployment.pack, self._say)
        for change in deployment.changes:
            check_laid(self._settings.store, change)  # it was laid minutes ago
            self._registry.add(change)
            self._registry.warm_up(change, goldens[change.model])
            self._registry.check(change, goldens[change.model])

    def divide(self, deployment: Deployment, share: float) -> None:
        """Send a share of the packets to the new versions."""
        write_journal(self._home, replace(deployment, phase=Phase.CANARY, share=share))
        self._wait_for_gateway(traffic.send_share_to_new(self._home, deployment.changes, share), [])

    def switch(self, deployment: Deployment) -> None:
        """Send everything to the new versions; the old ones stand in for them until they are seen to do."""
        goldens = _goldens(deployment)
        write_journal(self._home, replace(deployment, phase=Phase.SWITCHING))
        self._say("switching")
        self._wait_for_gateway(traffic.send_share_to_new(self._home, deployment.changes, 1.0), [])
        for change in deployment.changes:
            self._registry.check(change, goldens[change.model])
        self._watch(deployment.paths)
        mark = traffic.send_to_new(self._home, deployment.changes)
        self._wait_for_gateway(mark, [change.name for change in deployment.changes])
        for change in deployment.changes:
            self._registry.check(change, goldens[change.model])
            self._registry.make_default(change.name, change.new)

    def finish(self, deployment: Deployment) -> None:
        """Remove the old versions; from here on there is no way back, for they may be gone."""
        write_journal(self._home, replace(deployment, phase=Phase.REMOVING))
        put_in_place(self._settings.store, deployment.changes)
        for change in deployment.changes:
            self._registry.drain(change.name, change.old)
            self._registry.remove(change.name, change.old)
            self._say(f"{change.name} {change.old} is removed; {change.new} is served")
        self._wait_for_gateway(traffic.send_to_default(self._home), [])
        if _has_zero_shot(deployment):
            drop_old_embeddings(self._settings)
        if deployment.is_whole:
            remember(replace(self._settings, pack=deployment.pack))
        self._close()

    def undo(self, deployment: Deployment) -> None:
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
        if _has_zero_shot(deployment):
            drop_new_embeddings(self._settings)
        self._close()
        self._say("rolled back: what was served before is served")

    def _close(self) -> None:
        shutil.rmtree(scratch_folder(self._home), ignore_errors=True)
        remove_journal(self._home)

    def _wait_for_gateway(self, mark: str, paths: Sequence[str]) -> None:
        """Wait until the gateway, if there is one, follows, and nothing is under way to ``paths`` any more."""
        wait_for(
            lambda: not self._has_gateway() or traffic.has_left(self._home, mark, paths),
            limit_s=self._limits.follow_s,
            every_s=self._limits.look_every_s,
            what="the gateway does not follow, or does not finish what is under way,",
        )

    def _watch(self, paths: Sequence[str]) -> None:
        """Look on for a while; raise DeployError if the gateway sets one of these addresses aside.

        The golden set asks as a client of TorchServe does, the gateway in its own language.
        """
        ends_at_s = time.monotonic() + self._limits.watch_s
        is_over = not self._has_gateway()
        while not is_over:
            is_over = time.monotonic() >= ends_at_s
            refused = sorted(set(paths).intersection(traffic.set_aside(self._home)))
            if refused:
                raise DeployError(
                    f"the gateway set {' and '.join(refused)} aside: it failed three packets in a row "
                    f"or could not be read; {self._settings.gateway_log} says why"
                )
            time.sleep(self._limits.look_every_s)


def _has_zero_shot(deployment: Deployment) -> bool:
    return any(change.model == "zero_shot" for change in deployment.changes)


def _goldens(deployment: Deployment) -> dict[str, GoldenSet]:
    given = Path(deployment.golden) if deployment.golden else None
    folders = {change.model: ROOT / "models" / change.model / deployment.pack for change in deployment.changes}
    return {model: read_golden(golden_file(given, folder), pack=deployment.pack) for model, folder in folders.items()}
