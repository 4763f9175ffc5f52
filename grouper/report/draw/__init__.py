"""HTML, SVG and charts, as plain text without a script."""
