"""Rules and other pure parts, each case by itself: no network, no processes."""
