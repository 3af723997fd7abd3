"""What differs between environments, and nothing else: addresses, secrets, folders, switches."""

from __future__ import annotations

import functools
import ssl
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from the environment once per process; a name in capitals here is the variable's name."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    kafka_bootstrap_servers: str = Field("127.0.0.1:9092", alias="KAFKA_BOOTSTRAP_SERVERS")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", alias="KAFKA_SECURITY_PROTOCOL"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", alias="KAFKA_SASL_MECHANISM"
    )
    kafka_sasl_username: str | None = Field(None, alias="KAFKA_SASL_USERNAME")
    kafka_sasl_password: SecretStr | None = Field(None, alias="KAFKA_SASL_PASSWORD")
    kafka_sasl_password_file: Path | None = Field(None, alias="KAFKA_SASL_PASSWORD_FILE")
    kafka_ssl_cafile: Path | None = Field(None, alias="KAFKA_SSL_CAFILE")
    kafka_ssl_certfile: Path | None = Field(None, alias="KAFKA_SSL_CERTFILE")
    kafka_ssl_keyfile: Path | None = Field(None, alias="KAFKA_SSL_KEYFILE")
    kafka_replication_factor: int = Field(1, alias="KAFKA_REPLICATION_FACTOR", ge=1)

    database_url: str = Field("postgresql://postgres@127.0.0.1:5432/postgres", alias="DATABASE_URL")
    database_password_file: Path | None = Field(None, alias="DATABASE_PASSWORD_FILE")
    database_ssl_cafile: Path | None = Field(None, alias="DATABASE_SSL_CAFILE")

    partitions: int = Field(8, alias="NESTWORK_PARTITIONS", ge=1, le=4096)
    market_mode: Literal["on", "off"] = Field("off", alias="NESTWORK_MARKET_MODE")
    marker_key: SecretStr | None = Field(None, alias="NESTWORK_MARKER_KEY")
    marker_key_file: Path | None = Field(None, alias="NESTWORK_MARKER_KEY_FILE")
    web_host: str = Field("127.0.0.1", alias="NESTWORK_WEB_HOST")
    web_port: int = Field(6066, alias="NESTWORK_WEB_PORT")
    tokens_file: Path | None = Field(None, alias="NESTWORK_TOKENS_FILE")
    data_dir: Path = Field(Path(".nestwork/worker"), alias="NESTWORK_DATA_DIR")
    log_level: str = Field("INFO", alias="NESTWORK_LOG_LEVEL")
    trace_ratio: float = Field(0.0, alias="NESTWORK_TRACE_RATIO", ge=0, le=1)
    """Part of the batches that get OpenTelemetry spans; 0 is none. Where to: ``OTEL_EXPORTER_OTLP_ENDPOINT``."""
    session_timeout_seconds: int = Field(6, alias="NESTWORK_SESSION_TIMEOUT_SECONDS", ge=2, le=60)
    group_instance_id: str | None = Field(None, alias="NESTWORK_GROUP_INSTANCE_ID")

    def secret(self, value: SecretStr | None, file: Path | None) -> str | None:
        """The secret itself, from the variable or from a mounted file (a file wins: it can be rotated)."""
        if file is not None:
            return file.read_text().strip()
        return value.get_secret_value() if value is not None else None

    def marker_secret(self) -> bytes:
        """The key that signs cut markers. Raises ``ValueError`` when none is configured."""
        text = self.secret(self.marker_key, self.marker_key_file)
        if not text:
            raise ValueError("NESTWORK_MARKER_KEY or NESTWORK_MARKER_KEY_FILE must be set: cut markers are signed")
        return text.encode()

    def kafka_ssl_context(self) -> ssl.SSLContext | None:
        """TLS towards the broker, with a client certificate when one is configured."""
        if "SSL" not in self.kafka_security_protocol:
            return None
        context = ssl.create_default_context(cafile=self.kafka_ssl_cafile)
        if self.kafka_ssl_certfile is not None:
            context.load_cert_chain(self.kafka_ssl_certfile, self.kafka_ssl_keyfile)
        return context


@functools.cache
def settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
