"""Apache Kafka: its settings, its first formatting, and how it is started.

One node is broker and controller (KRaft). What is set and why: `log.flush.interval.messages=1`, since without it
a power cut loses what was acknowledged; `broker.session.timeout.ms` for a quick return after a kill, with heartbeats
well inside it, since a broker that is late with one is fenced and its partitions have no leader; the cleaner's buffer
for memory. Topics are never created by accident.
"""

import base64
import os
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.errors import StartFailed
from deploy.embedded.java import Java
from deploy.embedded.places import write_whole
from deploy.embedded.ports import LOOPBACK
from deploy.embedded.process import ProcessSpec, tail, tcp_probe

JVM_FLAGS = (
    "-Xms128m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
)
FORMAT_SECONDS = 60
MAX_RECORD_BYTES = 4 * 1024 * 1024 + 4096

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "message.max.bytes": str(MAX_RECORD_BYTES),
    "log.flush.interval.messages": "1",
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "500",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "log.cleaner.backoff.ms": "1000",
}

LOGGING = """\
Configuration:
  status: error
  Appenders:
    RollingFile:
      name: file
      fileName: {log}
      filePattern: {log}.%i
      PatternLayout: {{pattern: "%d{{ISO8601}} %p %m (%c)%n"}}
      Policies: {{SizeBasedTriggeringPolicy: {{size: 5MB}}}}
      DefaultRolloverStrategy: {{max: 2}}
  Loggers:
    Root: {{level: info, AppenderRef: {{ref: file}}}}
"""


@dataclass(frozen=True, kw_only=True)
class Broker:
    """An Apache Kafka in a folder of its own."""

    home: Path
    log: Path
    java: Java
    class_path: Sequence[Path]
    port: int
    controller_port: int

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def _data(self) -> Path:
        return self.home / "data"

    @property
    def _properties(self) -> Path:
        return self.home / "server.properties"

    @property
    def formatted(self) -> bool:
        return (self.home / "formatted").exists()

    def configure(self) -> None:
        """Write the settings; ports may be others than the last time."""
        self.home.mkdir(parents=True, exist_ok=True)
        listeners = f"PLAINTEXT://{self.address},CONTROLLER://{LOOPBACK}:{self.controller_port}"
        settings = SETTINGS | {
            "listeners": listeners,
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "controller.quorum.voters": f"1@{LOOPBACK}:{self.controller_port}",
            "log.dirs": str(self._data),
        }
        write_whole(self._properties, "".join(f"{name}={value}\n" for name, value in settings.items()))
        write_whole(self.home / "log4j2.yaml", LOGGING.format(log=self.log))

    def format(self) -> None:
        """Make an empty log, unless there is one; on the disk before this returns. Raises StartFailed.

        A formatting that was cut short is made anew: the marker is written last.
        """
        if self.formatted:
            return
        shutil.rmtree(self._data, ignore_errors=True)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        options = (f"--cluster-id={cluster}", f"--config={self._properties}")  # an id may begin with a dash
        command = self._command("kafka.tools.StorageTool", "format", *options)
        done = subprocess.run(command, capture_output=True, text=True, timeout=FORMAT_SECONDS, check=False)
        if done.returncode != 0:
            raise StartFailed(
                f"Apache Kafka could not format {self._data}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
        os.sync()
        (self.home / "formatted").touch()
        os.sync()

    def spec(self) -> ProcessSpec:
        return ProcessSpec(
            name="kafka",
            argv=tuple(self._command("kafka.Kafka", str(self._properties))),
            probe=tcp_probe(LOOPBACK, self.port),
            stop_seconds=30.0,
            hopeless_exits=frozenset(),
        )

    def _command(self, main_class: str, *arguments: str) -> list[str]:
        class_path = os.pathsep.join(map(str, self.class_path))
        logging = f"-Dlog4j2.configurationFile={self.home / 'log4j2.yaml'}"
        return [str(self.java.executable), *JVM_FLAGS, logging, "-cp", class_path, main_class, *arguments]

    def explain(self) -> str:
        """The end of its log."""
        return tail(self.log)
