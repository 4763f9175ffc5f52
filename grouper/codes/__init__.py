"""Codes and what is known of them: lists with names, kinds and grey codes; texts of a file as numbers."""
