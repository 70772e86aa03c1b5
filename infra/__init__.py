"""The CDK app: one platform stack, and one stack per service that deploys alone."""
