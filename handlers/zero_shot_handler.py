"""Zero-shot's worker: pictures and candidate names in, opinions out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from fishgate import device
from fishgate.answer import Opinion, Probabilities, opinion_from
from fishgate.batch import run_batch
from fishgate.images import open_picture, quieten_decoders
from fishgate.list_folder import ListFolder
from fishgate.options import Options
from fishgate.packet import Description
from fishgate.preprocessing import Pixels, to_pixels
from fishgate.species_list import SpeciesList
from fishgate.zero_shot import Candidates, ZeroShot, load_zero_shot
from handlers.adaptors import settings, torchserve
from handlers.adaptors.core_share import CoreShare
from handlers.adaptors.java_process import JavaProcess
from handlers.adaptors.rows import Fields, Job, by_row, error_of, jobs_of, read_row, reply_to

Ready = tuple[Options, Candidates, Pixels]
"""What a client wants to know, what its picture may be, and the picture."""


class ZeroShotHandler:
    """TorchServe makes one of these a worker, calls ``initialize`` once and ``handle`` a batch."""

    def initialize(self, context: torchserve.Context) -> None:
        """Load the archive's model; raise LoadError, which stops the worker, if it must not be served."""
        with torchserve.loading("zero_shot"):
            quieten_decoders()
            self._settings = settings.read_settings(context.model_yaml_config, settings.ModelSettings)
            self._cores = CoreShare("zero_shot", share_cores_with=self._settings.share_cores_with)
            self._executor = ThreadPoolExecutor(self._cores.keep())
            self._meter = torchserve.TorchServeMeter(context)
            self._java = JavaProcess(self._meter)  # the expert may run elsewhere
            self._lists = ListFolder(torchserve.lists_folder())
            self._zero_shot = self._load(context)

    def handle(self, rows: list[Fields], context: torchserve.Context) -> list[bytes]:
        """Answer each row with the JSON of an opinion or an error, or of those of its packet; never raises."""
        started_s = time.perf_counter()
        self._cores.keep()
        self._java.tell()
        from_workflow = [torchserve.is_from_workflow(context, index) for index in range(len(rows))]
        read = [read_row(row, from_workflow=so) for row, so in zip(rows, from_workflow, strict=True)]
        results = run_batch(
            jobs_of(read),
            prepare=self._prepare,
            compute=self._compute,
            finish=self._finish,
            executor=self._executor,
            meter=self._meter,
            model="zero_shot",
            size_of=lambda job: job.size,
            at_once=max(self._settings.pictures_at_once, len(rows)),
        )
        replies = []
        for index, (row, own) in enumerate(zip(read, by_row(read, results), strict=True)):
            torchserve.set_reply(context, index, error_of(row, own), status_counts=True)
            replies.append(reply_to(row, own, self._describe))
        if any(from_workflow):
            time.sleep(torchserve.rest_ms(started_s, self._settings.least_ms) / 1000.0)
        return replies

    def _describe(self) -> Description:
        names = tuple(species.name for species in self._lists)
        return Description(
            card=self._zero_shot.card, species_lists=names, pictures_at_once=self._settings.pictures_at_once
        )

    def _load(self, context: torchserve.Context) -> ZeroShot:
        for species in self._lists:
            _ = species.lineages  # worked out now, or the first picture would wait for it
        folder = torchserve.model_folder(context)
        return load_zero_shot(folder, device.choose_device(torchserve.gpu_id(context)), self._lists)

    def _prepare(self, job: Job) -> Ready:
        request = job.request()
        candidates = self._lists.picked(request.options) or request.options.labels
        preprocessing = self._zero_shot.card.preprocessing
        picture = open_picture(request.picture, needed_px=preprocessing.needed_px)
        return request.options, candidates, to_pixels(picture, preprocessing)

    def _compute(self, ready: Sequence[Ready]) -> list[Probabilities]:
        _, candidates, pixels = zip(*ready, strict=True)
        return self._zero_shot.predict(pixels, candidates)

    def _finish(self, ready: Ready, probabilities: Probabilities) -> Opinion:
        options, candidates, _ = ready
        return opinion_from(
            probabilities,
            self._zero_shot.taxa_for(candidates),
            self._zero_shot.card,
            top_k=options.top_k,
            lineages=candidates.lineages if isinstance(candidates, SpeciesList) else None,
        )
