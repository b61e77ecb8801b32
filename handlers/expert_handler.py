"""The expert's worker: pictures in, opinions out; through the workflow also on to the router."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from fishgate import device, gate, wire
from fishgate.answer import Opinion, opinion_from
from fishgate.batch import run_batch
from fishgate.errors import FishgateError
from fishgate.expert import Expert, Finding, load_expert
from fishgate.images import open_picture, quieten_decoders
from fishgate.list_folder import ListFolder
from fishgate.options import options_to_fields
from fishgate.packet import Description
from fishgate.preprocessing import Pixels, to_pixels
from fishgate.spool import Spool
from fishgate.telemetry import Metric
from handlers.adaptors import settings, torchserve
from handlers.adaptors.core_share import CoreShare
from handlers.adaptors.java_process import JavaProcess
from handlers.adaptors.rows import Fields, Job, Row, RowKind, by_row, error_of, jobs_of, read_row, reply_to

Ready = tuple[wire.Request, Pixels]
Result = tuple[wire.Request, Opinion] | FishgateError

_log = logging.getLogger(__name__)


class ExpertHandler:
    """TorchServe makes one of these a worker, calls ``initialize`` once and ``handle`` a batch."""

    def initialize(self, context: torchserve.Context) -> None:
        """Load the archive's model; raise LoadError, which stops the worker, if it must not be served."""
        with torchserve.loading("expert"):
            quieten_decoders()
            self._settings = settings.read_settings(context.model_yaml_config, settings.ModelSettings)
            self._cores = CoreShare("expert", share_cores_with=self._settings.share_cores_with)
            self._executor = ThreadPoolExecutor(self._cores.keep())
            self._meter = torchserve.TorchServeMeter(context)
            self._java = JavaProcess(self._meter)
            self._spool = Spool(torchserve.spool_folder())
            self._lists = ListFolder(torchserve.lists_folder())
            self._expert = self._load(context)

    def handle(self, rows: list[Fields], context: torchserve.Context) -> list[bytes]:
        """Answer each row with JSON, or with the hand-over for the router; never raises."""
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
            model="expert",
            size_of=lambda job: job.size,
            at_once=max(self._settings.pictures_at_once, len(rows)),
        )
        replies = []
        for index, (row, own) in enumerate(zip(read, by_row(read, results), strict=True)):
            torchserve.set_reply(context, index, error_of(row, own), status_counts=not from_workflow[index])
            replies.append(self._reply(row, own, from_workflow=from_workflow[index]))
        if any(from_workflow):
            time.sleep(torchserve.rest_ms(started_s, self._settings.least_ms) / 1000.0)
        return replies

    def _load(self, context: torchserve.Context) -> Expert:
        return load_expert(torchserve.model_folder(context), device.choose_device(torchserve.gpu_id(context)))

    def _prepare(self, job: Job) -> Ready:
        request = job.request()
        self._lists.picked(request.options)  # an unknown list is refused here already
        preprocessing = self._expert.card.preprocessing
        return request, to_pixels(open_picture(request.picture, needed_px=preprocessing.needed_px), preprocessing)

    def _compute(self, ready: Sequence[Ready]) -> list[Finding]:
        return self._expert.examine([pixels for _, pixels in ready])

    def _finish(self, ready: Ready, found: Finding) -> tuple[wire.Request, Opinion]:
        request, card = ready[0], self._expert.card
        top_k, certainty = request.options.top_k, found.certainty
        return request, opinion_from(found.probabilities, card.taxa, card, top_k=top_k, certainty=certainty)

    def _reply(self, row: Row, results: list[Result], *, from_workflow: bool) -> bytes:
        if row.kind is RowKind.PICTURE and not isinstance(results[0], FishgateError):
            self._measure(results[0][1])
            if from_workflow:
                return wire.reply(self._hand_over(*results[0]))
        opinions = [result if isinstance(result, FishgateError) else result[1] for result in results]
        return reply_to(row, opinions, self._describe)

    def _measure(self, opinion: Opinion) -> None:
        # Not for packets: TorchServe reads each value from a line of our output, which costs more than
        # the opinion itself; the gateway knows these values anyway.
        self._meter.observe(Metric.EXPERT_CONFIDENCE, opinion.best.confidence)
        self._meter.observe(Metric.EXPERT_DOUBT, 1.0 - opinion.best.confidence)

    def _describe(self) -> Description:
        names, at_once = tuple(species.name for species in self._lists), self._settings.pictures_at_once
        return Description(card=self._expert.card, species_lists=names, pictures_at_once=at_once)

    def _hand_over(self, request: wire.Request, opinion: Opinion) -> wire.HandOver:
        ticket = None
        members = self._lists.members(request.options)
        if gate.judge(opinion, request.options, members=members).deferred:
            try:
                ticket = self._spool.put(request.picture)
            except OSError:  # the router will let the expert's answer stand in
                _log.exception("a picture could not be laid down for zero-shot")
        return wire.HandOver(opinion=opinion, options=options_to_fields(request.options), picture=ticket)
