"""Understands spreadsheets and exports of the seller: which column is which, and how its values are written."""
