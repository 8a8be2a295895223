"""The vocabulary of DESIGN §2 as frozen records; imports nothing else of locard."""
