"""The command `dropfix`: it assembles what the services bring."""
