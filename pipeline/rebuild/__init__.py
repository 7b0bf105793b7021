"""Rebuild: a service's tables made anew from the topics beside the live ones, compared with them, put in their place.

`plan` what a service says of its tables, `shadow` the schema beside, `compare` row by row, `swap` the exchange.
"""
