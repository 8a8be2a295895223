"""payment-service: takes orders, refunds and transfers, and calls the providers that settle them."""
