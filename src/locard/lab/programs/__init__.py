"""Programs that the lab copies into its run directory and starts there; none imports locard."""
