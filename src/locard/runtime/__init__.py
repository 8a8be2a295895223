"""The live runtime, one adapter a folder."""
