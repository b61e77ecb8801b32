"""What the handlers share: the only code that knows how TorchServe hands things over."""
