"""Changing a model while the server runs: the new version beside the old, then in its place, or gone again."""
