"""The gRPC door: TorchServe's own inference service, answered by the whole cascade."""
