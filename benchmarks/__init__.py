"""Figures: each command measures on this machine and prints one line of result last."""
