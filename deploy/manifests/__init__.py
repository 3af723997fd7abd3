"""Kubernetes' manifests: what is derived from the catalogue and the rule files, and the overlays as they come out."""
