"""Source files into the scans of a dataset: discover, load, store. `mist.ingest.run.ingest` does all of it."""
