"""What every room stands on: errors, files, locks, progress, and reading what strangers wrote."""
