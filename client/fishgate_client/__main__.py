"""``python -m fishgate_client``: pictures in, answers out. The options stand in ``command/arguments.py``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from fishgate_client.command.arguments import build_parser, parse


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parse(build_parser("fishgate-identify"), sys.argv[1:] if arguments is None else arguments)
    # Not before: --help and wrong arguments need neither requests nor rich.
    from fishgate_client.command.running import run
    from fishgate_client.command.server import server_from

    return run(options, lambda: server_from(options))


if __name__ == "__main__":
    sys.exit(main())
