"""What may be said: claims with their figures, and the licences that decide from the evidence."""
