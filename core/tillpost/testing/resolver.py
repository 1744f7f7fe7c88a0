from tillpost.testing.suite import Suite


class ResolverSuite(Suite):
    pass
