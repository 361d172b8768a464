"""Pictures inside media files: which way up, in which colours, at which time, and what they need in memory."""
