"""NewMethod, a talking-face method for the talking-face zoo."""
