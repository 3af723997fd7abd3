"""Make the secrets of a compose project once: ``python -m deploy.compose.secrets FOLDER``. What is there stays.

One file each: PostgreSQL's superuser, a password per role, the key that signs cuts, Grafana's administrator, a token
for the pages and one for payroll files, with the file of their hashes. The folder is a volume; every container that
mounts it sees all of it, which is why this is for one developer's machine and not for production.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path

from deploy.security.roles import ROLES
from shared.runtime.tokens import ALL_PLANS, Role, new_token, token_hash

READABLE = 0o444  # Containers run as different users; the volume is the fence.


def make(folder: Path) -> list[str]:
    """Write what is missing and return its names."""
    (folder / "roles").mkdir(parents=True, exist_ok=True)
    made = [name for name in ("postgres", "grafana", *(f"roles/{role}" for role in ROLES)) if _keep(folder / name)]
    if _keep(folder / "marker.key", secrets.token_hex(32)):
        made.append("marker.key")
    tokens = {role: new_token() for role in (Role.OPERATOR, Role.PAYROLL)}
    if not (folder / "tokens.json").exists():
        for role, token in tokens.items():
            (folder / f"{role}.token").unlink(missing_ok=True)
            _keep(folder / f"{role}.token", token)
        entries = [
            {"name": f"compose-{role}", "hash": token_hash(token), "roles": [role], "plans": [ALL_PLANS]}
            for role, token in tokens.items()
        ]
        _keep(folder / "tokens.json", json.dumps({"tokens": entries}))
        made.append("tokens.json")
    return made


def _keep(file: Path, content: str | None = None) -> bool:
    """Write a file whole, unless it is there; true when it was written."""
    if file.exists():
        return False
    arriving = file.with_name(f".{file.name}.{os.getpid()}")
    arriving.write_text(content or secrets.token_hex(24))
    arriving.chmod(READABLE)
    arriving.rename(file)
    return True


if __name__ == "__main__":
    made_now = make(Path(sys.argv[1]))
    print(f"secrets made: {', '.join(made_now) or 'none, all are there'}")  # noqa: T201 - the one line of this program.
