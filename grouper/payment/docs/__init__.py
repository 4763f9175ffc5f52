"""Pages of the documentation that are made from the policies and the parameters."""
