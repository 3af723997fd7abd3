"""Tests: docker-compose.yml as Docker Compose itself reads it."""
