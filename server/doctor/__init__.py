"""What ``scripts/doctor`` looks at: each file one part of an installation, each check a function that finds things."""
