"""What every room may use and what knows no domain: errors, files, exact numbers, SQL texts."""
