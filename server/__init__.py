"""Building, starting, stopping and scaling the TorchServe deployment."""
