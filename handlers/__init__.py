"""The workers: one thin class a file, bytes in, fishgate, JSON out."""
