"""The files an operator copies: they say what the manual says, and the programs that read them agree."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PROVINCE = DEPLOY / "province"
UNITS = (
    "nuanxun-web.service", "nuanxun-jobs.service",
    "province/nuanxun-web@.service", "province/nuanxun-jobs@.service",
)  # fmt: skip
NGINX, CADDY = ((DEPLOY / name).read_text(encoding="utf-8") for name in ("nginx.conf", "Caddyfile"))
MANY = (PROVINCE / "nginx.conf").read_text(encoding="utf-8")


def test_both_proxies_speak_modern_tls_only() -> None:
    assert re.search(r"ssl_protocols\s+TLSv1\.2 TLSv1\.3;", NGINX) and "protocols tls1.2 tls1.3" in CADDY
    ciphers = re.findall(r"ssl_ciphers\s+(\S+);", NGINX)[0].split(":")
    assert all(c.startswith("ECDHE-") and ("GCM" in c or "CHACHA20" in c) for c in ciphers)


def test_what_comes_unencrypted_is_sent_to_https() -> None:
    """Caddy does so by itself for a site that is named without a scheme."""
    assert "return 301 https://nuanxun.example.org$uri;" in NGINX
    assert re.search(r"^nuanxun\.example\.org \{", CADDY, re.MULTILINE)


def test_proxies_overwrite_what_the_program_believes_and_keep_the_inside_inside() -> None:
    for name in ("X-Forwarded-For", "X-Request-Id"):
        assert f"proxy_set_header {name} $" in NGINX and f"header_up {name} {{" in CADDY
    for path in ("/metrics", "/readyz"):
        assert re.search(rf"location = {path}\s+{{ return 404; }}", NGINX) and path in CADDY


def test_no_proxy_log_keeps_what_was_typed_into_a_search() -> None:
    form = re.findall(r"log_format nuanxun '([^']*)'", NGINX)[0]
    assert not re.search(r"\$(request|request_uri|args|query_string|http_referer|arg_\w+)\b", form)
    assert set(re.findall(r"error_log\s+\S+ (\w+);", NGINX)) == {"crit"}
    assert not re.search(r"^\s*log\b", CADDY, re.MULTILINE)


@pytest.mark.parametrize("unit", UNITS)
def test_services_have_what_they_need_and_no_more(unit: str, tmp_path: Path) -> None:
    text = (DEPLOY / unit).read_text(encoding="utf-8")
    for line in ("User=nuanxun", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=",
                 "UMask=0077"):  # fmt: skip
        assert f"\n{line}\n" in text, line
    settings = "/etc/nuanxun/%i.env" if "@" in unit else "/etc/nuanxun.env"
    assert f"\nEnvironmentFile={settings}\n" in text and "SECRET_KEY" not in text
    if analyze := shutil.which("systemd-analyze"):
        # The program is not installed here, so another stands in its place.
        copy = tmp_path / Path(unit).name.replace("@", "@370406")
        copy.write_text(re.sub(r"ExecStart=\S+", f"ExecStart={sys.executable}", text), encoding="utf-8")
        told = subprocess.run([analyze, "verify", str(copy)], capture_output=True, text=True, timeout=60)
        assert copy.name not in told.stdout + told.stderr, told.stdout + told.stderr


def test_a_province_differs_from_one_county_only_in_whom_it_asks() -> None:
    """What is said above of deploy/nginx.conf holds for it too."""
    own = {line.strip() for line in NGINX.splitlines()} - {line.strip() for line in MANY.splitlines()}
    assert [line for line in sorted(own) if line and not line.startswith("#")] == [
        "proxy_pass http://127.0.0.1:8000;",
        "return 301 https://nuanxun.example.org$uri;",
        "server_name nuanxun.example.org;",
    ]


@pytest.mark.parametrize("conf", [NGINX, MANY], ids=["county", "province"])
def test_nginx_reads_its_file(conf: str, tmp_path: Path) -> None:
    assert conf.count("{") == conf.count("}")
    nginx = shutil.which("nginx") or ("/usr/sbin/nginx" if Path("/usr/sbin/nginx").exists() else None)
    openssl = shutil.which("openssl")
    if nginx is None or openssl is None:
        return  # the words were checked above
    key, certificate = tmp_path / "k.pem", tmp_path / "c.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", "/CN=nuanxun.example.org", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    site = conf.replace("/etc/ssl/nuanxun.pem", str(certificate)).replace("/etc/ssl/nuanxun.key", str(key))
    site = site.replace("/var/log/nginx", str(tmp_path)).replace("/etc/nuanxun", str(tmp_path))
    (tmp_path / "counties.map").write_text("370406 127.0.0.1:8001;\n", encoding="utf-8")
    main = f"pid {tmp_path}/pid; error_log {tmp_path}/e.log; events {{}} http {{ access_log off; {site} }}"
    (tmp_path / "nginx.conf").write_text(main, encoding="utf-8")
    command = [nginx, "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-g", "daemon off;"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, told.stderr


def test_the_security_page_names_tests_that_are_there() -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    for path, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text):
        assert (ROOT / path).is_file(), path
        assert not name or f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), (path, name)


def test_the_security_page_answers_every_requirement_of_level_1_once() -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    table = text.split("<!-- asvs:begin -->")[1].split("<!-- asvs:end -->")[0]
    rows = re.findall(r"^\| ([0-9.]+) \| (.+) \| (.+) \| (.+) \|$", table, re.MULTILINE)
    assert len(rows) == 70 == len({row[0] for row in rows})
    for number, _, how, known in rows:
        assert "`tests/" in known or "not used" in how or known == "by the operator", number
