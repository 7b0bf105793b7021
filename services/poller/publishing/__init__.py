"""From what a read shows to what is written down: only real changes, first to Kafka, then to PostgreSQL."""
