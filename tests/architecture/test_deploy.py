"""The containers run what the tree holds, with the broker settings that everything else relies on."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from lianji.broker import CONFIG, WITH_USERS, executable
from lianji.permissions import world_users

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = (DEPLOY / "compose.yaml").read_text()
ADDRESSES = {"host", "port", "http", "ports_file_dir", "store_dir"}
"""Where the broker lives differs between the homes; how it keeps what it is given does not."""


def settings(config: str) -> dict[str, str]:
    """`section.key` → value of a nats-server configuration, one setting to a line."""
    found: dict[str, str] = {}
    section = ""
    for line in config.splitlines():
        text = line.partition("#")[0].strip()
        if text.endswith("{"):
            section = text.rstrip("{ ") + "."
        elif text == "}":
            section = ""
        elif text:
            key, _, value = text.partition(":")
            if key not in ADDRESSES:
                found[section + key] = value.strip()
    return found


def test_broker_settings_are_the_same_in_both_homes() -> None:
    embedded = settings(CONFIG.replace("{{", "{").replace("}}", "}") + WITH_USERS)
    assert settings((DEPLOY / "nats.conf").read_text()) == embedded
    assert embedded["jetstream.sync_interval"] == "always"


def test_the_committed_users_are_those_of_the_declaration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIANJI_WORLD_SEED", raising=False)
    assert (DEPLOY / "nats-users.conf").read_text() == world_users(), "run `make permissions`"
    assert "- ./nats-users.conf:/etc/nats/nats-users.conf:ro" in COMPOSE


def test_the_broker_reads_the_configuration_of_compose() -> None:
    command = [executable(), "-t", "-c", str(DEPLOY / "nats.conf")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "is valid" in done.stderr


def test_compose_runs_every_service() -> None:
    run = set(re.findall(r"args: \{SERVICE: (\w+)\}", COMPOSE))
    packages = {p.parent.name: p for p in (ROOT / "services").glob("*/*/__main__.py")}
    assert run == set(packages) | {"lianji"}
    assert (ROOT / "cli" / "lianji" / "__main__.py").is_file()


def test_every_container_is_restricted() -> None:
    """Each service of the file takes the restrictions, itself or through the anchor that it is made from."""
    services = COMPOSE[COMPOSE.index("\nservices:\n") : COMPOSE.index("\nvolumes:\n")]
    blocks = re.split(r"\n  (?=[a-z][\w-]*:)", services)[1:]
    assert len(blocks) == 16
    for block in blocks:
        assert re.search(r"^    <<: \*(restricted|service|auth)$", block, re.MULTILINE), block.partition(":")[0]
    for demand in ("read_only: true", "cap_drop: [ALL]", "no-new-privileges:true", "/tmp:rw,noexec,nosuid,nodev"):  # noqa: S108 - an option of Compose
        assert demand in COMPOSE
    assert "privileged" not in COMPOSE.replace("no-new-privileges", "")
    assert "cap_add" not in COMPOSE


def test_the_smoke_test_looks_at_what_each_container_may_do() -> None:
    """On the running containers, from outside: see deploy/confined.sh."""
    smoke = (DEPLOY / "smoke.sh").read_text()
    assert 'deploy/confined.sh "$service" "$(compose ps -q "$service")"' in smoke
    assert os.access(DEPLOY / "confined.sh", os.X_OK)


def test_images_are_pinned_and_not_root() -> None:
    images = re.findall(r"image: (\S+)", COMPOSE) + re.findall(
        r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE
    )
    assert len(images) == 6
    for image in images:
        assert re.fullmatch(r"[\w/.-]+:v?\d[\w.-]*", image), image
    users = re.findall(r"^USER (\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert users == ["10001:10001"]
    strangers = re.findall(r"^    image: (\S+)\n    (.*)$", COMPOSE, re.MULTILINE)
    assert {image for image, user in strangers if user != 'user: "10001:10001"'} == {
        "jaegertracing/jaeger:2.17.0"  # its own user is 10001
    }
