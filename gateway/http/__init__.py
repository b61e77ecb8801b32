"""The HTTP door: requests to bytes and options, answers and errors to replies."""
