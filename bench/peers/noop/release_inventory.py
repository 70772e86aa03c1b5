"""PaymentFailed: nothing; no order of the no-op flow comes here."""


def handler(event, context):
    pass
