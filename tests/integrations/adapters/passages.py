"""Passages and what a search must find among them."""

DOCUMENTS = [
    "Reset your password in the account settings.",
    "A declined card is usually blocked by the bank.",
    "Refunds arrive within five working days.",
    "The cat sleeps on the sofa.",
]
EXPECTED = {
    "how do I choose a new password": DOCUMENTS[0],
    "my credit card does not work": DOCUMENTS[1],
    "when do I get my money back": DOCUMENTS[2],
    "a kitten naps on the couch": DOCUMENTS[3],
}
