from tillpost.testing.suite import Suite


class FallbackSuite(Suite):
    pass
