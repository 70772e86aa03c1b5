"""Book the shipment of a charged order."""
