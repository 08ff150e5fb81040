"""Models that somebody else made: fetched, converted and tried in child processes with limits."""
