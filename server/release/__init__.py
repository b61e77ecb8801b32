"""What ``scripts/release`` does: checks, a list of all parts, an audit of them, and the files that are given away."""
