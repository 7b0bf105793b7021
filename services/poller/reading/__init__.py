"""Reading Stripe: the one way out, its limits, and from the bytes of an answer to objects."""
