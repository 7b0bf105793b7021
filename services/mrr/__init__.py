"""MRR: an exact, explainable number per customer and currency, and the ledger of why it moved."""
