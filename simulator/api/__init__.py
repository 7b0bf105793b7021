"""The HTTP side: keys, limits, faults, parameters, lists, searches and errors as Stripe has them."""
