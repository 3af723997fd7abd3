"""From the wanted cluster to its processes: folders, ports, environment, commands."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.cluster import broker, postgres
from deploy.cluster.children import Child, answers_readyz
from deploy.cluster.processes import CLUSTER_VARIABLE, free_ports
from deploy.cluster.spec import ClusterSpec


def choose_ports(spec: ClusterSpec, earlier: Mapping[str, int]) -> dict[str, int]:
    """A free port for every listener, the earlier ones again where they are still free."""
    names = [f"kafka-{number}{role}" for number in range(1, spec.brokers + 1) for role in ("", "-controller")]
    names += [detour_name(number) for number, _ in enumerate(spec.broker_detours, 1)]
    names += ["postgres", *(["postgres-2"] if spec.standby else []), *(name for name, _, _ in worker_names(spec))]
    names += ["intake"] if spec.intake else []
    kept = {name: port for name in names if (port := earlier.get(name)) and free_ports(1, [port]) == [port]}
    missing = [name for name in names if name not in kept]
    fresh = [port for port in free_ports(len(names) + len(kept)) if port not in kept.values()]
    return kept | dict(zip(missing, fresh, strict=False))


def detour_name(number: int) -> str:
    """The name of the port of a broker's second listener."""
    return f"kafka-{number}-detour"


def worker_names(spec: ClusterSpec) -> list[tuple[str, str, int]]:
    """(process name, service, index) of every worker."""
    return [(f"{service}-{index}", service, index) for service, n in spec.workers.items() for index in range(n)]


def marker_key_file(spec: ClusterSpec) -> Path:
    """The file with the secret that signs cut markers; made on the first start, kept for the life of the folder."""
    file = spec.path / "marker.key"
    if not file.exists():
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as handle:
            handle.write(secrets.token_hex(32))
    return file


def broker_children(spec: ClusterSpec, ports: Mapping[str, int], class_path: str, cluster_uuid: str) -> list[Child]:
    """The Kafka nodes, formatted and ready to start."""
    security = broker.BrokerSecurity(**spec.broker_security) if spec.broker_security else None
    quorum = tuple((number, ports[f"kafka-{number}-controller"]) for number in range(1, spec.brokers + 1))
    children = []
    for number, controller_port in quorum:
        name = f"kafka-{number}"
        node = broker.BrokerNode(
            number=number,
            folder=spec.path / name,
            port=ports[name],
            controller_port=controller_port,
            all_nodes=quorum,
            heap_mb=spec.broker_heap_mb,
            full_compiler=spec.broker_full_compiler,
            security=security,
            detour=(ports[detour_name(number)], spec.broker_detours[number - 1]) if spec.broker_detours else None,
        )
        node.prepare(class_path, cluster_uuid)
        children.append(
            Child(
                name=name,
                kind="broker",
                command=node.command(class_path),
                environment={CLUSTER_VARIABLE: spec.cluster_id, "PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"},
                log=spec.path / "log" / f"{name}.log",
                folder=spec.path,
                port=ports[name],
                is_ready=lambda _pid, port=ports[name]: broker.live_brokers(port) >= spec.brokers,  # type: ignore[misc]
            )
        )
    return children


def postgres_child(spec: ClusterSpec, server: postgres.Postgres, name: str = "postgres") -> Child:
    """A PostgreSQL server whose data folder is ready."""
    user = postgres.unprivileged_user()
    return Child(
        name=name,
        kind="postgres",
        command=server.command(),
        environment={CLUSTER_VARIABLE: spec.cluster_id, "PATH": os.environ.get("PATH", ""), "LANG": "C", "LC_ALL": "C"},
        log=spec.path / "log" / f"{name}.log",
        folder=Path("/"),
        port=server.port,
        is_ready=server.is_ready,
        user=user.pw_uid if user else None,
        group=user.pw_gid if user else None,
    )


def shared_environment(spec: ClusterSpec, bootstrap: str, database_url: str) -> dict[str, str]:
    """What every worker and tool of this cluster finds in its environment."""
    environment = {key: value for key, value in os.environ.items() if key != "NESTWORK_MARKER_KEY"}
    if not spec.external_bootstrap:
        environment |= {"NESTWORK_MARKER_KEY_FILE": str(marker_key_file(spec)), "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"}
        environment["KAFKA_REPLICATION_FACTOR"] = str(min(spec.brokers, 3))
    elif "NESTWORK_MARKER_KEY" in os.environ:  # Whoever brings his own Kafka brings the key that signed its markers.
        environment["NESTWORK_MARKER_KEY"] = os.environ["NESTWORK_MARKER_KEY"]
    elif "NESTWORK_MARKER_KEY_FILE" not in os.environ:
        environment["NESTWORK_MARKER_KEY_FILE"] = str(marker_key_file(spec))
    return environment | {
        CLUSTER_VARIABLE: spec.cluster_id,
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "DATABASE_URL": database_url,
        "NESTWORK_PARTITIONS": str(spec.partitions),
        "NESTWORK_MARKET_MODE": spec.market_mode,
        "PYTHONUNBUFFERED": "1",
        **spec.extra_env,
    }


def worker_children(spec: ClusterSpec, ports: Mapping[str, int], environment: Mapping[str, str]) -> list[Child]:
    """The workers of the services, each with its own web port, scratch folder and log."""
    children = []
    for name, service, _ in worker_names(spec):
        scratch = spec.path / "workers" / name
        scratch.mkdir(parents=True, exist_ok=True)
        own = {"NESTWORK_WEB_PORT": str(ports[name]), "NESTWORK_DATA_DIR": str(scratch), "NESTWORK_WORKER": name}
        children.append(
            Child(
                name=name,
                kind="worker",
                command=[sys.executable, "-m", spec.worker_module.format(service=service)],
                environment={**environment, **own},
                log=spec.path / "log" / f"{name}.log",
                folder=Path.cwd(),
                port=ports[name],
                is_ready=lambda _pid, port=ports[name]: answers_readyz(port),  # type: ignore[misc]
            )
        )
    return children


def custodian_child(spec: ClusterSpec, environment: Mapping[str, str]) -> Child:
    """The simulated custodian, with the actions it shall play."""
    actions = {"NESTWORK_CUSTODIAN_ACTIONS": spec.custodian_actions} if spec.custodian_actions else {}
    return Child(
        name="custodian",
        kind="custodian",
        command=[sys.executable, "-m", "deploy.custodian"],
        environment={**environment, **actions},
        log=spec.path / "log" / "custodian.log",
        folder=Path.cwd(),
        port=None,
        is_ready=lambda _pid: True,
    )


def intake_child(spec: ClusterSpec, ports: Mapping[str, int], environment: Mapping[str, str]) -> Child:
    """The intake of payroll files; its column maps lie in the folder, its token file is the given one or there too."""
    place = spec.path / "intake"
    (place / "maps").mkdir(parents=True, exist_ok=True)
    port = ports["intake"]
    own = {
        "NESTWORK_TOKENS_FILE": environment.get("NESTWORK_TOKENS_FILE", str(spec.path / "tokens.json")),
        "NESTWORK_PAYROLL_MAPS": environment.get("NESTWORK_PAYROLL_MAPS", str(place / "maps")),
        "NESTWORK_WEB_HOST": "127.0.0.1",
        "NESTWORK_WEB_PORT": str(port),
        "NESTWORK_DATA_DIR": str(place),
    }
    return Child(
        name="intake",
        kind="intake",
        command=[sys.executable, "-m", "deploy.payroll"],
        environment={**environment, **own},
        log=spec.path / "log" / "intake.log",
        folder=Path.cwd(),
        port=port,
        is_ready=lambda _pid: answers_readyz(port),
    )
