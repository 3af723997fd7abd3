"""A certificate authority for one test: it signs for the loopback addresses and for nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key


@dataclass(frozen=True)
class Certificates:
    """Files of one authority and one server."""

    authority: Path
    certificate: Path
    key: Path
    both: Path
    """Key and certificate in one file, as Kafka wants them."""


def issue(folder: Path, common_name: str, *names: str) -> Certificates:
    """Make an authority and a certificate for these host names (the loopback ones when none is given)."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    issued = authority.issue_cert(*(names or ("127.0.0.1", "localhost")), common_name=common_name)
    key = load_pem_private_key(issued.private_key_pem.bytes(), password=None)
    key_text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = b"".join(part.bytes() for part in issued.cert_chain_pems)
    made = Certificates(folder / "ca.pem", folder / "server.crt", folder / "server.key", folder / "server.pem")
    authority.cert_pem.write_to_path(str(made.authority))
    made.certificate.write_bytes(chain)
    for file, content in ((made.key, key_text), (made.both, key_text + chain)):
        file.touch(mode=0o600)
        file.write_bytes(content)
    return made
