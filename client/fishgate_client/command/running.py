"""What the command does, step by step: prepare, ask, end. Owns the order of the steps and the exit status."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import closing, suppress

from fishgate_client.bulk import ask_all
from fishgate_client.command.output import Output
from fishgate_client.command.preparing import Job, prepare
from fishgate_client.command.progress import progress
from fishgate_client.command.provenance import ModelsChanged
from fishgate_client.command.record import RecordError
from fishgate_client.command.rows import row_of
from fishgate_client.command.screen import say, show_summary, tell_failures
from fishgate_client.command.server import Server, ServerError
from fishgate_client.command.sources import PictureFile, SourceError, Sources
from fishgate_client.command.summary import Summary
from fishgate_client.command.watch import Stopped, Watch
from fishgate_client.errors import FishgateError, Unreachable
from fishgate_client.options import Options

GOOD, SOME_FAILED, NOT_STARTED, INTERRUPTED = 0, 1, 2, 130


def run(options: argparse.Namespace, find_server: Callable[[], Server]) -> int:
    """Identify what the command line names; return the exit status."""
    _use_utf8()
    hint = ""
    try:
        server = find_server()
        hint = f"; {server.hint}"
        if options.sheet:  # before the work, not after it, if something is missing for it
            import fishgate_client.command.sheet  # noqa: F401
        with closing(Sources(tuple(options.pictures), tuple(options.list), options.null)) as sources:
            return _run(prepare(options, server, sources), server)
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except (RecordError, SourceError, ServerError, FishgateError, ModuleNotFoundError) as error:
        say(f"{error}{hint}" if isinstance(error, Unreachable) else str(error))
    except OSError as error:
        say(f"{error.filename or 'a file'}: {error.strerror}")
    return NOT_STARTED


def _run(job: Job, server: Server) -> int:
    options = job.options
    record = job.results.record if job.results else None
    as_table = not options.json and not options.out
    output = Output(record, as_json=options.json, as_table=as_table, rank=options.rank)
    status, how = GOOD, "done"
    try:
        _ask(job, output)
    except KeyboardInterrupt:
        status, how = INTERRUPTED, "interrupted"
    except BrokenPipeError:
        status, how = SOME_FAILED, "stopped: nobody reads the output any more"
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (Stopped, ModelsChanged, SourceError, OSError) as error:
        status = SOME_FAILED if output.summary.answered else NOT_STARTED
        how = f"stopped: {error}"
    _end(job, output, how)
    if how != "done":
        _say_how(job, output.summary, how, server.hint)
    return status or (SOME_FAILED if output.summary.failed else GOOD)


def _ask(job: Job, output: Output) -> None:
    options, watch = job.options, Watch()
    question = job.fishgate.question(Options(options.top_k, options.labels, options.threshold, options.species_list))
    found = ask_all(
        question,
        job.pictures,
        read=PictureFile.read,
        at_once=options.at_once,
        in_order=options.json or not options.out,
    )
    with progress(job.plan.to_ask) as advance, closing(found):
        for result in found:
            watch.look_at(result.error)
            row, value = row_of(result, job.rules)
            job.provenance.check(row)
            output.add(row, value, result.as_json())
            advance()


def _end(job: Job, output: Output, how: str) -> None:
    """Show what there is to show, and bring the files into their final form."""
    own, options = output.summary, job.options
    output.show()
    in_all = _in_all(job, own)
    if own.answered + own.failed > 1 or job.plan.done:
        show_summary(in_all, to_stderr=options.json)
    tell_failures(own, asked=own.answered + own.failed, place=str(options.out) if options.out else None)
    try:
        if options.sheet and job.results:
            from fishgate_client.command.sheet import write_sheet

            write_sheet(options.sheet, job.results.record, in_all, job.provenance.told())
    finally:
        if job.results:
            job.results.finish()
        counts = {"answered": in_all.answered, "failed": in_all.failed, "unsure": in_all.unsure}
        job.provenance.end(how, answered=own.answered, failed=own.failed, pictures=counts)


def _in_all(job: Job, own: Summary) -> Summary:
    """Return the counts of all results, those of earlier runs included."""
    if not job.results or not job.plan.done:
        return own
    summary = Summary()
    for _, row in job.results.record.rows():
        summary.add(row)
    return summary


def _say_how(job: Job, own: Summary, how: str, hint: str) -> None:
    say(f"{how}; {own.answered + own.failed} of {job.plan.to_ask} were asked")
    if "unreachable" in how:
        say(hint)
    if job.options.out:
        say("start it again with the same arguments to go on")


def _use_utf8() -> None:
    """Write names in UTF-8, whatever the terminal says of itself, rather than fail in the middle of a run."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # a test's stand-in
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
