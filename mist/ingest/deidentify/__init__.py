"""De-identification by DICOM PS3.15 Annex E: what leaves a file before anything else of MIST reads it."""
