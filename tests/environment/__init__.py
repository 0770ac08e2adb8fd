"""The real parts that tests run against, each started for the tests and stopped with them."""
