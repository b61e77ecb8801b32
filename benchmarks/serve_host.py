"""``python -m benchmarks.serve_host``: a TorchServe with the paced models, in the namespace that this runs in.

Owns its one server: it says ``ready`` on the standard output once that identifies, and stops it when it is told to
end. Tokens are off: nobody but this machine reaches the namespace.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from benchmarks.namespaces import PORT
from benchmarks.outcome import say
from benchmarks.pictures import bright_picture
from server.configuration import Ports, Settings
from server.instance import StartError, start, stop, wait_until_ready


def settings_of(home: Path, store: Path, address: str) -> Settings:
    """Return the settings of the server at ``address``: its own loopback has the same ports as everybody's."""
    ports = Ports(inference=PORT)
    return Settings(home=home, store=store, ports=ports, torchserve_host=address, has_gateway=False, has_tokens=False)


def main() -> int:
    """Serve until SIGTERM; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the folder of its files")
    parser.add_argument("--store", type=Path, required=True, help="the folder of the archives")
    parser.add_argument("--address", required=True, help="where to listen")
    options = parser.parse_args()
    is_over = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: is_over.set())
    settings = settings_of(options.home, options.store, options.address)
    try:
        wait_until_ready(settings, start(settings), bright_picture(), limit_s=600.0, say=lambda _text: None)
        print("ready", flush=True)
        is_over.wait()
    except StartError as error:
        say(str(error))
        return 1
    finally:
        stop(settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
