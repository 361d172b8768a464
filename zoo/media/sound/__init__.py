"""Reading sound tracks: decoding packet by packet, placing by time, mixing channels, resampling as a stream."""
