"""What the digits network learns under which settings: ``python -m validation.digits periphery``."""
