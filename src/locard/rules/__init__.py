"""Finding rules for all wings, one a file, named after the pattern found."""
