"""The poller: reads Stripe through a key that can only read, and publishes what it saw, byte for byte."""
