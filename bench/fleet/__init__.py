"""A fleet of devices that ask: ours beside goosebit's, in the same run, driven by the same client."""
