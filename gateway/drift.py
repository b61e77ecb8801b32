"""Is what comes now like what the gate was calibrated on? The figures that tell it.

Owns which pictures count, and against what they are held. A picture counts if the gate judged it as its certificate
means it: at the card's own threshold, with every name allowed. Remembered answers do not count, nor do probes.
"""

from __future__ import annotations

from typing import Protocol

from fishgate.answer import Opinion
from fishgate.gate import judge
from fishgate.model_card import ModelCard
from fishgate.options import Options
from gateway.drift_shadow import Shadow, Verdict


class DriftObserver(Protocol):
    """Where the figures go."""

    def judged(self, *, certainty: float, confidence: float, accepted: bool) -> None:
        """The gate judged a picture that counts."""

    def certified(self, coverage: float | None) -> None:
        """Such a part of the pictures was accepted in calibration; None without a certificate."""

    def second_opinion(self, verdict: Verdict | None) -> None:
        """Zero-shot said this of a picture that the expert had answered; None: there was no time to ask it."""


class SilentDriftObserver:
    """An observer for those who observe nothing."""

    def judged(self, *, certainty: float, confidence: float, accepted: bool) -> None:
        """Do nothing."""

    def certified(self, coverage: float | None) -> None:
        """Do nothing."""

    def second_opinion(self, verdict: Verdict | None) -> None:
        """Do nothing."""


class DriftMonitor:
    """Sees every opinion of the expert that a client waits for. To be used inside one running event loop."""

    def __init__(self, shadow: Shadow, observer: DriftObserver) -> None:
        self._shadow = shadow
        self._observer = observer

    def saw(self, picture: bytes, expert: Opinion, options: Options) -> None:
        """The expert has said its opinion of a picture. It neither waits nor raises."""
        if not _is_plain(options):
            return
        accepted = not judge(expert, options).deferred
        self._observer.judged(certainty=expert.certainty, confidence=expert.best.confidence, accepted=accepted)
        if accepted:
            self._shadow.offer(picture, expert)

    def described(self, card: ModelCard) -> None:
        """The expert's worker told its card."""
        certificate = card.gate.certificate
        self._observer.certified(certificate.coverage if certificate else None)

    async def close(self) -> None:
        """Ask no more."""
        await self._shadow.close()


def _is_plain(options: Options) -> bool:
    return options.labels is None and options.species_list is None and options.threshold is None
