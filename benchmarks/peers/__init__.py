"""Other ways to serve the same models, to compare ours with."""
