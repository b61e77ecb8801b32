"""Fishgate: which fish is in a photograph.

The pure library: pictures in, answers out. It imports neither TorchServe nor a web framework, so
that the server's workers, the gateway, the trainers and the tests all run the very same code.
"""

__version__ = "0.1.0"
