"""A method whose card says another thing than its spec."""
