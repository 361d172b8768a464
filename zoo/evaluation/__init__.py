"""From videos to rows: footage, experts' readings, metrics, and the one way to a score."""
