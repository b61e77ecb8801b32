"""Made by ``scripts/write_stubs`` from docs/api/protos; not to be edited."""
