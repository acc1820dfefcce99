"""What MIST is worth: phantoms, training runs and measurements over whole datasets."""
