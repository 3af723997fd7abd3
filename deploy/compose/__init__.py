"""What docker-compose.yml needs besides images: secrets that are made on the first start and are nobody's defaults."""
