"""The command that certifies: a run's pack, or any pack on an operator's own pictures.

Owns the order of the steps and what is printed; the choice is ``training.certification``'s.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fishgate.model_card import ModelCard
from training.calibration_pictures import CalibrationPictures, drop_stale_certificate, of_photos, of_run, read_pack_card
from training.certification import Chosen
from training.certifying import Promise, certified, evidence_of_threshold, told_certainty, write_to_packs
from training.expert_figures import figures_of
from training.predictions import Predictions, read_predictions
from training.report.page import write_report
from training.run_folder import RunFolder, write_json


def certify_run(run: RunFolder, promise: Promise) -> Chosen:
    """Certify a run's pack on its calibration split; write cards, figures and report anew, and print a table.

    Raises ValueError if the predictions are not those of the pack.
    """
    drop_stale_certificate(run.pack)
    pictures = of_run(run)
    card, chosen = _certified(pictures, promise)
    figures = figures_of(card, read_predictions(run.predictions), run.pack)
    _write(card.model_copy(update={"metrics": figures}), pictures)
    before: dict[str, Any] = json.loads(run.metrics.read_text()) if run.metrics.exists() else {}
    write_json(run.metrics, before | figures)
    print(f"the report is {write_report(run)}")
    return chosen


def certify_pack(pack: Path, place: Path, promise: Promise, *, seed: int) -> Chosen:
    """Certify a pack on pictures in class folders or a manifest, write its card, and print a table.

    The card's figures stay those of its training.
    """
    drop_stale_certificate(pack)
    pictures = of_photos(pack, place, seed=seed)
    card, chosen = _certified(pictures, promise)
    _write(card, pictures)
    return chosen


def _certified(pictures: CalibrationPictures, promise: Promise) -> tuple[ModelCard, Chosen]:
    pack = pictures.packs[0]
    card, chosen = certified(
        read_pack_card(pack),
        promise,
        plan=pictures.plan,
        calibration=pictures.calibration,
        pack=pack,
        photos=pictures.photos,
    )
    print("\n".join(table(card, chosen, pictures.test, pack)))
    return card, chosen


def _write(card: ModelCard, pictures: CalibrationPictures) -> None:
    for pack in write_to_packs(card, *pictures.packs):
        print(f"written: the card in {pack}")


def table(card: ModelCard, chosen: Chosen, test: Predictions, pack: Path) -> list[str]:
    """Return the lines of the table: what was promised, and what the threshold does on each part."""
    rows = [_row("calibration", chosen.pictures, chosen.accepted, chosen.wrong)]
    if len(test):
        is_accepted = told_certainty(card, test, pack) >= card.gate.threshold
        rows.append(_row("test", len(test), int(is_accepted.sum()), int((is_accepted & ~test.is_right).sum())))
    head = f"{'':12}{'pictures':>10}{'accepted':>10}{'wrong':>8}{'coverage':>10}{'risk':>8}"
    promise = f"at most {chosen.risk:.1%} wrong with {chosen.confidence:.0%} confidence"
    title = f"{promise}: threshold {chosen.threshold:.4f}" if chosen.is_certified else f"{promise}: not certified"
    return [title, head, *rows, evidence_of_threshold(chosen)]


def _row(name: str, pictures: int, accepted: int, wrong: int) -> str:
    coverage, risk = accepted / pictures, wrong / max(accepted, 1)
    return f"{name:12}{pictures:>10}{accepted:>10}{wrong:>8}{coverage:>10.1%}{risk:>8.2%}"
