"""What a process needs to live: settings, clock, connections, vault, logs, metrics, health."""
