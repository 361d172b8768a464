"""Where clips come from: one file per corpus."""
