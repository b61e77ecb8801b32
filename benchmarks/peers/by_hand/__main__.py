"""Serve on the loopback address: ``python -m benchmarks.peers.by_hand --port 8000``."""

from __future__ import annotations

import argparse

import uvicorn

from benchmarks.peers.by_hand.app import make_app
from fishgate.images import quieten_decoders

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    quieten_decoders()
    uvicorn.run(
        make_app(),
        port=options.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
    )
