"""A scan as the file that somebody asked for: which voxels, which slice, in what format."""
