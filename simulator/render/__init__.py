"""Stripe's JSON shapes of the company's objects, in the version that a request asks for."""
