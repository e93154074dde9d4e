"""Training a table on examples: pairs, triplets, scored pairs and labeled texts."""
