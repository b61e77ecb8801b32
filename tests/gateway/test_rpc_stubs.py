"""The committed gRPC code is what the compiler makes of docs/api/protos."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gateway.rpc.generated import inference_pb2
from server.bootstrap import ROOT
from tests.architecture.test_imports import imports_of

GENERATED = ROOT / "gateway" / "rpc" / "generated"


def test_writing_the_stubs_again_gives_the_same_bytes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "write_stubs", "--output", tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_bytes() for path in GENERATED.glob("inference_*")}
    assert done.stdout.split() == sorted(written)


def test_the_stubs_import_each_other_by_their_full_name() -> None:
    assert "gateway.rpc.generated.inference_pb2" in set(imports_of(GENERATED / "inference_pb2_grpc.py"))


def test_the_file_keeps_the_name_that_torchserve_clients_know_it_by() -> None:
    # With another name a client with stubs of its own could not be loaded into the same process.
    assert inference_pb2.DESCRIPTOR.name == "inference.proto"
    assert inference_pb2.DESCRIPTOR.package == "org.pytorch.serve.grpc.inference"
