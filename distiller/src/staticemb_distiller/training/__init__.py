"""Training of static models on examples: pairs, triplets, scored pairs, labeled texts."""
