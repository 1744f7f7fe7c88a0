from tillpost.testing.suite import Suite


class TransferSuite(Suite):
    pass
