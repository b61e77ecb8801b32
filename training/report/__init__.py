"""The report of a run: one HTML page with its plots, made from the files of the run folder alone."""
