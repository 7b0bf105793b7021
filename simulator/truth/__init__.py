"""What really happened, told from the company's own books and never from what the API shows."""
