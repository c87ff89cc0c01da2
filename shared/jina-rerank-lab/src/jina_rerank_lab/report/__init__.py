"""One HTML page, and pictures, of what was measured; what was published stands beside it."""
