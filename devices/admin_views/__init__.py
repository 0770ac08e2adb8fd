"""Pages of devices and groups. Rules are the services' business, not theirs."""
