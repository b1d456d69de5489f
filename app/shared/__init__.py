"""Small things any room may use; imports no room."""
