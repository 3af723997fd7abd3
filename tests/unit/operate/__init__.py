"""Tests: operate."""
