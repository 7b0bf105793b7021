"""Dunning's own metrics."""

from prometheus_client import Counter, Gauge

MAILS = Counter("dropfix_dunning_mails_total", "Emails by what became of them.", ["outcome"])
MAILS_DUE = Gauge("dropfix_dunning_mails_due", "Emails that are due and not sent yet.")
