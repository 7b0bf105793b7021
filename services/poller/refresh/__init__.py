"""Fresh reads of one customer, as they are asked for over a topic and answered there."""
