from tillpost.testing.suite import Suite


class TransportSuite(Suite):
    pass
