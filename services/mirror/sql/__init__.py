"""The mirror's migrations and views. Its statements are made in `store.py`."""
