"""The value models of the topics, one module per domain. Each class is one version of one record's value."""
