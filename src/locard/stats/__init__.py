"""Pure maths over arrays: change points, shapes, intervals; no I/O, imports the model only."""
