"""Emails, from what they tell to what is sent: pure rendering, nothing here talks to anybody."""
