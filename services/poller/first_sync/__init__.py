"""The first sync: what is read first, cut into parts that survive a kill, page by page side by side."""
