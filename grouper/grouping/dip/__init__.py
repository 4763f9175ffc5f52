"""DIP grouping (按病种分值付费): catalogue, options, reference algorithm, kernel and explanation."""
