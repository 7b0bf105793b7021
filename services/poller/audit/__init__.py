"""Every request that was made, and what the log says of an object's past."""
