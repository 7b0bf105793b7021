"""Writes the emails that win failed payments back: one episode a customer, each email at most once."""
