"""What the fields of a log mean: their roles, times, amounts, and what people may call them."""
