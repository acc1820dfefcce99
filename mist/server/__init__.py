"""A folder of datasets over HTTP: search, pictures and volumes at any resolution, and the stored objects themselves."""
