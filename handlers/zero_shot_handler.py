"""Zero-shot's worker: pictures and candidate names in, opinions out."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fishgate import device, wire
from fishgate.answer import Opinion, Probabilities, opinion_from
from fishgate.batch import run_batch
from fishgate.images import open_picture, quieten_decoders
from fishgate.preprocessing import Pixels, to_pixels
from fishgate.zero_shot import ZeroShot, load_zero_shot
from handlers.adaptors import settings, torchserve
from handlers.adaptors.core_share import CoreShare

Row = dict[str, wire.Field]


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
        return load_zero_shot(torchserve.model_folder(context), device.choose_device(torchserve.gpu_id(context)))

    def _prepare(self, row: Row) -> tuple[wire.Request, Pixels]:
        request = wire.request_from_fields(row)
        preprocessing = self._zero_shot.card.preprocessing
        return request, to_pixels(open_picture(request.picture, needed_px=preprocessing.needed_px), preprocessing)

    def _compute(self, ready: Any) -> list[Opinion]:
        probabilities = self._zero_shot.predict(
            [pixels for _, pixels in ready], [request.options.labels for request, _ in ready]
        )
        return [self._opinion(p, request) for (request, _), p in zip(ready, probabilities, strict=True)]

    def _opinion(self, probabilities: Probabilities, request: wire.Request) -> Opinion:
        taxa = self._zero_shot.taxa_for(request.options.labels)
        return opinion_from(probabilities, taxa, self._zero_shot.card, top_k=request.options.top_k)
