"""Accounts of any size whose objects are computed from their index whenever somebody asks for them."""
