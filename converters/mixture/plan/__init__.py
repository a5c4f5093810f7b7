"""What becomes of each row: the table of all rows, how products are told apart, and the decisions, each by hashes alone."""
