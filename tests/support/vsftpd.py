"""Debian's vsftpd on loopback: as strict as it comes, with TLS of one version only, or without TLS."""

from __future__ import annotations

import ipaddress
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.support.program import free_ports, needed, serving

HOST, FRONT = "127.0.0.1", "127.0.0.2"
"""Where it listens, and where a proxy may: on the same ports, so that data connections can be passed on too."""


@attrs.frozen
class Vsftpd:
    """A running server. home: where files go; ca: the certificate that vouches for its own; log: its own log."""

    port: int
    data_ports: list[int]
    user: str
    password: str
    home: Path
    ca: Path
    log: Path


@contextmanager
def vsftpd(folder: Path, tls: str = "", options: str = "") -> Iterator[Vsftpd]:
    """Start it in `folder`; tls: `TLSv1.2`, `TLSv1.3`, or "" for none.

    The login is vsftpd's anonymous one with a list of passwords, so that no account has to be made.
    """
    program = needed("vsftpd", "vsftpd", root=True)
    home = folder / "root" / "integration"
    home.mkdir(parents=True)
    (folder / "empty").mkdir()
    # vsftpd goes to the home of the account it works as before it goes to anon_root, so that must be there.
    worker = next(each for each in pwd.getpwall() if 0 < each.pw_uid < 1000 and Path(each.pw_dir).is_dir())
    os.chown(home, worker.pw_uid, -1)
    (folder / "passwords").write_text("till-secret\n")
    authority(folder)
    port, *data_ports = free_ports(9, HOST, FRONT)
    given = {
        "listen": "YES", "listen_ipv6": "NO", "background": "NO", "listen_address": HOST, "listen_port": port,
        "pasv_min_port": data_ports[0], "pasv_max_port": data_ports[-1], "connect_from_port_20": "NO",
        "anonymous_enable": "YES", "local_enable": "NO", "ftp_username": worker.pw_name, "anon_root": home.parent,
        "secure_email_list_enable": "YES", "email_password_file": folder / "passwords",
        "write_enable": "YES", "anon_upload_enable": "YES", "anon_mkdir_write_enable": "YES",
        "anon_other_write_enable": "YES", "anon_umask": "022", "anon_max_rate": "0", "delay_failed_login": "0",
        "ssl_enable": "YES" if tls else "NO", "ssl_tlsv1": "YES", "allow_anon_ssl": "YES",
        "force_anon_logins_ssl": "YES", "force_anon_data_ssl": "YES", "require_ssl_reuse": "YES", "debug_ssl": "YES",
        "rsa_cert_file": folder / "server.pem", "rsa_private_key_file": folder / "server.key",
        "secure_chroot_dir": folder / "empty", "vsftpd_log_file": folder / "ftp.log",
        "xferlog_enable": "YES", "log_ftp_protocol": "YES",
        # A container may not have the name spaces and filters that these want.
        "seccomp_sandbox": "NO", "isolate": "NO", "isolate_network": "NO",
    }  # fmt: skip
    (folder / "config").write_text("".join(f"{key}={value}\n" for key, value in given.items()) + options + "\n")
    # This vsftpd cannot be told its TLS versions one by one; the library below it can.
    (folder / "openssl.cnf").write_text(
        f"openssl_conf = main\n[main]\nssl_conf = tls\n[tls]\nsystem_default = only\n"
        f"[only]\nMinProtocol = {tls or 'TLSv1.2'}\nMaxProtocol = {tls or 'TLSv1.3'}\n"
    )
    with serving([program, str(folder / "config")], port, folder, HOST, {"OPENSSL_CONF": str(folder / "openssl.cnf")}):
        yield Vsftpd(port, data_ports, "ftp", "till-secret", home, folder / "ca.pem", folder / "ftp.log")


def authority(folder: Path, expired: bool = False) -> None:
    """Make a CA (ca.pem) and a certificate of it for loopback (server.pem, server.key)."""
    ca_key, own_key = _key("ca"), _key("server")
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test CA")])
    own_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), *(x509.IPAddress(ipaddress.ip_address(each)) for each in (HOST, FRONT))]
    ca = _certificate(ca_name, ca_name, ca_key.public_key(), False)
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    own = _certificate(own_name, ca_name, own_key.public_key(), expired)
    own = own.add_extension(x509.SubjectAlternativeName(names), critical=False)
    own = own.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    (folder / "ca.pem").write_bytes(ca.sign(ca_key, hashes.SHA256()).public_bytes(Encoding.PEM))
    (folder / "server.pem").write_bytes(own.sign(ca_key, hashes.SHA256()).public_bytes(Encoding.PEM))
    (folder / "server.key").write_bytes(
        own_key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )


@cache
def _key(of: str) -> rsa.RSAPrivateKey:
    """Made once for all tests, for it takes its time."""
    return rsa.generate_private_key(65537, 2048)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPublicKey, expired: bool
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=-1 if expired else 30))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
