"""The doors of the app: who may ask the server for what, and what it holds for whom. No page, no model, no torch."""
