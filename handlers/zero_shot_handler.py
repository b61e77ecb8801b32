"""Zero-shot's worker: pictures and candidate names in, opinions out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from fishgate import device, wire
from fishgate.answer import Opinion, Probabilities, opinion_from
from fishgate.batch import run_batch
from fishgate.images import open_picture, quieten_decoders
from fishgate.list_folder import ListFolder
from fishgate.options import Options
from fishgate.preprocessing import Pixels, to_pixels
from fishgate.species_list import SpeciesList
from fishgate.zero_shot import Candidates, ZeroShot, load_zero_shot
from handlers.adaptors import settings, torchserve
from handlers.adaptors.core_share import CoreShare

Row = dict[str, wire.Field]
Ready = tuple[Options, Candidates, Pixels]
"""What a client wants to know, what its picture may be, and the picture."""


class ZeroShotHandler:
    """TorchServe makes one of these a worker, calls ``initialize`` once and ``handle`` a batch."""

    def initialize(self, context: torchserve.Context) -> None:
        """Load the archive's model; raise LoadError, which stops the worker, if it must not be served."""
        with torchserve.loading("zero_shot"):
            quieten_decoders()
            self._settings = settings.read_settings(context.model_yaml_config, settings.WorkerSettings)
            self._cores = CoreShare("zero_shot", share_cores_with=self._settings.share_cores_with)
            self._executor = ThreadPoolExecutor(self._cores.keep())
            self._meter = torchserve.TorchServeMeter(context)
            self._lists = ListFolder(torchserve.lists_folder())
            self._zero_shot = self._load(context)

    def handle(self, rows: list[Row], context: torchserve.Context) -> list[bytes]:
        """Answer each row with the JSON of an opinion or an error; never raises."""
        started_s = time.perf_counter()
        self._cores.keep()
        results = run_batch(
            rows,
            prepare=self._prepare,
            compute=self._compute,
            executor=self._executor,
            meter=self._meter,
            model="zero_shot",
        )
        for index, result in enumerate(results):
            torchserve.set_reply(context, index, result, status_counts=True)
        time.sleep(torchserve.rest_ms(started_s, self._settings.least_ms) / 1000.0)
        return [wire.reply(result) for result in results]

    def _load(self, context: torchserve.Context) -> ZeroShot:
        for species in self._lists:
            _ = species.lineages  # worked out now, or the first picture would wait for it
        folder = torchserve.model_folder(context)
        return load_zero_shot(folder, device.choose_device(torchserve.gpu_id(context)), self._lists)

    def _prepare(self, row: Row) -> Ready:
        request = wire.request_from_fields(row)
        candidates = self._lists.picked(request.options) or request.options.labels
        preprocessing = self._zero_shot.card.preprocessing
        picture = open_picture(request.picture, needed_px=preprocessing.needed_px)
        return request.options, candidates, to_pixels(picture, preprocessing)

    def _compute(self, ready: Sequence[Ready]) -> list[Opinion]:
        options, candidates, pixels = zip(*ready, strict=True)
        return list(map(self._opinion, self._zero_shot.predict(pixels, candidates), candidates, options))

    def _opinion(self, probabilities: Probabilities, candidates: Candidates, options: Options) -> Opinion:
        return opinion_from(
            probabilities,
            self._zero_shot.taxa_for(candidates),
            self._zero_shot.card,
            top_k=options.top_k,
            lineages=candidates.lineages if isinstance(candidates, SpeciesList) else None,
        )
