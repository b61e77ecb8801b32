"""The public door: HTTP, gRPC and the web page in front of TorchServe's workers."""
