"""Readers of Stripe's objects, whatever their API version.

An object here is what JSON gives: a mapping. Shapes of acacia, basil (the pinned line), clover and dahlia are read;
an accessor never fails on an absent field, takes every expandable field as an id or an object, and every
enumeration as open.
"""
