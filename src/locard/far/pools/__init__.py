"""How each library's pool tells its limit and its use: one file a library."""
