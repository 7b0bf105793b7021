"""What happens to customers themselves: e-mail, payment method, deletion."""

from simulator.company import subscriptions
from simulator.company.model import Customer, PaymentMethod, Subscription
from simulator.company.world import World


def join(world: World, customer: Customer) -> None:
    """The customer exists from now on."""
    world.customers.add(customer)
    world.witness.joined(customer, world.now)


def change_email(world: World, customer: Customer, email: str | None) -> None:
    world.touch(customer)
    customer.email = email


def replace_method(customer: Customer, method: PaymentMethod | None) -> None:
    """The default payment method from now on; charges keep the one they were made with."""
    customer.method = method


def delete(world: World, customer: Customer) -> None:
    """Deleted in Stripe: every subscription is canceled at once, and only the id remains readable."""
    if customer.deleted_at is not None:
        return
    world.touch(customer)
    customer.deleted_at = world.now
    for subscription in customer.subscriptions:
        subscriptions.cancel_now(world, subscription)
    customer.discount = None
    world.changed(customer)
    world.witness.left(customer, world.now)


def has_live_subscription(customer: Customer, besides: Subscription | None = None) -> bool:
    return any(other is not besides and not other.ended for other in customer.subscriptions)
