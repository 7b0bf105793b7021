"""The rules, one module each; another signal is another module and a line here."""

from services.detector.rules.base import Rule
from services.detector.rules.payment_failed import PaymentFailed
from services.detector.rules.subscription_lapsed import SubscriptionLapsed

RULES: tuple[Rule, ...] = (PaymentFailed(), SubscriptionLapsed())
