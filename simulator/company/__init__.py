"""The company that is played: its customers, what they buy and what becomes of it. No HTTP, no Stripe shapes."""
