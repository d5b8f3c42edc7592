"""The units, the image and the compose file in deploy/: what they start is what there is, and nothing is left open."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.parse
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from prefect.events.schemas.automations import AutomationCore
from prefect.settings import Settings

from tests.flows.prefect_server import BIN, ROOT, Server, end, free_port

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
PROGRAMS = [unit for unit in UNITS if unit.name.startswith("aisleflow-") and "health" not in unit.name]
HARDENED = ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "ProtectKernelModules", "RestrictNamespaces")
MOST_EXPOSED = 20  # of 100, as systemd-analyze counts; 14 now

SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["image", "command", "env_file", "read_only", "cap_drop", "security_opt"],
    "properties": {
        "image": {"const": "aisleflow"},
        "build": {"type": "object", "additionalProperties": False, "required": ["context", "dockerfile"],
                  "properties": {"context": {"const": ".."}, "dockerfile": {"const": "deploy/Dockerfile"}}},
        "command": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "env_file": {"const": "aisleflow.env"},
        "environment": {"type": "object", "additionalProperties": {"type": "string"}},
        "restart": {"enum": ["no", "unless-stopped"]},
        "init": {"const": True},
        "read_only": {"const": True},
        "cap_drop": {"const": ["ALL"]},
        "security_opt": {"const": ["no-new-privileges:true"]},
        "tmpfs": {"const": ["/tmp"]},
        "ports": {"type": "array", "items": {"type": "string", "pattern": r"^127\.0\.0\.1:\d+:\d+$"}},
        "volumes": {"type": "array", "items": {"type": "string", "pattern": r"^[^:]+(:-[^:]+)?:/(srv|var)/[^:]+$"}},
        "depends_on": {"type": "object", "additionalProperties": {"const": {"condition": "service_healthy"}}},
        "profiles": {"type": "array", "items": {"type": "string"}},
        "stop_grace_period": {"type": "string", "pattern": r"^\d+[sm]$"},
        "healthcheck": {"type": "object", "additionalProperties": False,
                        "required": ["test", "interval", "timeout", "retries", "start_period"],
                        "properties": {"test": {"type": "array", "prefixItems": [{"const": "CMD"}]},
                                       "interval": {"type": "string"}, "timeout": {"type": "string"},
                                       "retries": {"type": "integer"}, "start_period": {"type": "string"}}},
    },
}  # fmt: skip


def unit_of(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(path.read_text())
    return parser


def command_of(program: str) -> list[str]:
    """What a unit starts, by the commands' names alone."""
    line = unit_of(DEPLOY / "systemd" / f"aisleflow-{program}.service")["Service"]["ExecStart"]
    first, *rest = shlex.split(line)
    assert first.startswith("/opt/aisleflow/.venv/bin/"), line
    return [Path(first).name, *rest]


def environment_file() -> dict[str, str]:
    lines = [line for line in (DEPLOY / "aisleflow.env").read_text().splitlines() if line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


@pytest.mark.parametrize("unit", PROGRAMS, ids=lambda path: path.name)
def test_a_unit_is_no_root_starts_again_and_sees_little(unit: Path):
    service = unit_of(unit)["Service"]
    assert service["User"] == "aisleflow"
    assert service["Restart"] == "always"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert [name for name in HARDENED if service[name] != "true"] == []
    assert (BIN / Path(shlex.split(service["ExecStart"])[0]).name).is_file()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_finds_nothing_wrong_and_little_exposed(tmp_path: Path):
    for unit in UNITS:
        text = unit.read_text().replace("/opt/aisleflow/.venv/bin", str(BIN)).replace("/opt/aisleflow", str(ROOT))
        (tmp_path / unit.name).write_text(text)
    named = [str(tmp_path / unit.name.replace("@", "@server" if "health" in unit.name else "@demo")) for unit in UNITS]
    checked = subprocess.run(["systemd-analyze", "verify", *named], capture_output=True, text=True)
    assert checked.returncode == 0 and checked.stderr == "", checked.stderr
    exposed = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", *(u.name for u in PROGRAMS)],
        cwd=tmp_path, env=os.environ | {"SYSTEMD_UNIT_PATH": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert exposed.returncode == 0, exposed.stdout[-400:] + exposed.stderr


def test_everything_listens_on_this_machine_only_and_tells_nobody():
    given = environment_file()
    hosts = {name: value for name, value in given.items() if name.endswith(("_HOST", "_ADDRESS"))}
    assert len(hosts) == 3 and set(hosts.values()) == {"127.0.0.1"}, hosts
    assert urllib.parse.urlsplit(given["PREFECT_API_URL"]).hostname == "127.0.0.1"
    assert given["PREFECT_SERVER_ANALYTICS_ENABLED"] == given["STREAMLIT_BROWSER_GATHER_USAGE_STATS"] == "false"
    assert given["DO_NOT_TRACK"] == given["ORT_DISABLE_TELEMETRY"] == "1"


def test_prefect_knows_each_of_its_variables(monkeypatch: pytest.MonkeyPatch):
    names = {name: value for name, value in environment_file().items() if name.startswith("PREFECT_")}
    for name in [*os.environ]:
        if name.startswith("PREFECT_"):
            monkeypatch.delenv(name)
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    known = Settings().to_environment_variables(exclude_unset=True)
    assert names.keys() - known.keys() == set()


def test_compose_is_what_it_should_be_and_starts_what_the_units_start():
    file = compose()
    assert file.keys() - {"x-aisleflow", "x-environment"} == {"name", "services", "volumes"}
    for name, service in file["services"].items():
        jsonschema.validate(service, SERVICE)
        assert set(service.get("depends_on", ())) <= set(file["services"]), name
        named = [volume.split(":")[0] for volume in service.get("volumes", ()) if volume[0] not in "$./"]
        assert set(named) <= set(file["volumes"]), name
    for program in ("server", "worker", "dashboard"):
        service = file["services"][program]
        assert service["command"] == command_of(program)
        assert service["healthcheck"]["test"][1:] == ["python", "deploy/health.py", program]
    assert file["services"]["record"]["command"][:2] == command_of("record@")[:2]


def dockerfile() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def test_the_image_gets_what_it_needs_and_nothing_that_lies_about():
    steps = dockerfile()
    assert steps[0] == ("FROM", f"python:3.{sys.version_info[1]}-slim-bookworm") or sys.version_info[1] != 11
    assert not any("/" in value.split(":")[0] for step, value in steps if step == "FROM"), "no registry is named"
    assert [value for step, value in steps if step == "USER"] == ["aisleflow"]
    last_run = max(number for number, (step, _) in enumerate(steps) if step == "RUN")
    assert last_run < next(number for number, (step, _) in enumerate(steps) if step == "USER")
    rules = [
        line for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] not in ("", "#")
    ]
    assert rules[0] == "*"
    for step, value in steps:
        if step == "COPY":
            for source in value.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in rules, f"{source} is left out by .dockerignore"
    assert any(fnmatch("flows/__pycache__", rule) for rule in rules[1:])
    run = " ".join(value for step, value in steps if step == "RUN")
    assert "--constraint requirements.lock" in run and "--no-deps --editable ." in run


@pytest.mark.parametrize("name", ["aisleflow-lost-runs", "aisleflow-lost-starts"])
def test_automations_are_prefects(name: str):
    (given,) = (
        one for one in yaml.safe_load((DEPLOY / "automations.yaml").read_text())["automations"] if one["name"] == name
    )
    automation = AutomationCore.model_validate(given)
    assert automation.trigger.within.total_seconds() >= 3 * Settings().flows.heartbeat_frequency  # type: ignore[union-attr,operator]
    assert automation.actions[0].type == "change-flow-run-state"


@pytest.mark.server
@pytest.mark.xdist_group("server")
def test_what_the_units_start_comes_up_and_says_that_it_is_well(server: Server):
    ports = {name: str(free_port()) for name in ("PREFECT_WORKER_WEBSERVER_PORT", "STREAMLIT_SERVER_PORT")}
    given = {name: value for name, value in environment_file().items() if value[0] != "/"} | server.environment | ports
    given["PREFECT_SERVER_API_PORT"] = str(server.port)
    there = Server(given, server.folder, server.port)

    def health(program: str, wait: str = "0") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "deploy/health.py", program, "--wait", wait]
        return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True)

    away = health("worker")
    assert away.returncode == 1 and "refused" in away.stderr
    assert health("server").returncode == 0
    running = [there.run(command_of(program), f"{program}-unit.log") for program in ("worker", "dashboard")]
    try:
        for program in ("worker", "dashboard"):
            told = health(program, "300")
            assert told.returncode == 0, told.stderr + (server.folder / f"{program}-unit.log").read_text()[-3000:]
    finally:
        for process in running:
            end(process)
    assert "aisleflow-lost-runs" in server.prefect("automation", "ls").stdout
