"""Certificates for servers on the loopback address: a good one, and bad ones of each kind.

They lie in `tests/data/certificates` and hold for a hundred years. `python -m tests.support.certificates` makes them
anew, which needs the command `openssl`.
"""

from __future__ import annotations

import ssl
import subprocess
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "data" / "certificates"
AUTHORITY = "authority"
HERE = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"
#: Whatever a machine's clock says, within reason.
START, END, SOON = "20200101000000Z", "21200101000000Z", "20200102000000Z"

#: Name → who signs it (itself, if it does), until when it holds, and what it says beyond its name.
CERTIFICATES = {
    AUTHORITY: (AUTHORITY, END, "basicConstraints=critical,CA:TRUE"),
    "good": (AUTHORITY, END, HERE),
    "expired": (AUTHORITY, SOON, HERE),
    "elsewhere": (AUTHORITY, END, "subjectAltName=DNS:elsewhere.example,IP:192.0.2.1"),
    "self-signed": ("self-signed", END, HERE),
}
SETTINGS = """
[ca]
default_ca = tests
[tests]
database = {folder}/index
new_certs_dir = {folder}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
"""


def server_context(name: str) -> ssl.SSLContext:
    """Of a server that shows the certificate of that name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FOLDER / f"{name}.pem")
    return context


def trusting() -> ssl.SSLContext:
    """Of a client that trusts whom the tests' own authority has signed, and verifies as any other."""
    return ssl.create_default_context(cafile=str(FOLDER / f"{AUTHORITY}.pem"))


def make(folder: Path) -> None:
    """Write all of them; of the authority only the certificate, so that nobody can sign anything with it."""
    with tempfile.TemporaryDirectory() as made:
        scratch = Path(made)
        (scratch / "settings").write_text(SETTINGS.format(folder=scratch))
        (scratch / "index").touch()
        for name, (signer, end, extension) in CERTIFICATES.items():
            _make(scratch, name, signer, end, extension)
            key = "" if name == AUTHORITY else (scratch / f"{name}.key").read_text()
            (folder / f"{name}.pem").write_text((scratch / f"{name}.crt").read_text() + key)


def _make(scratch: Path, name: str, signer: str, end: str, extension: str) -> None:
    key, asked, extensions, certificate = (scratch / f"{name}.{kind}" for kind in ("key", "csr", "ext", "crt"))
    extensions.write_text(extension)
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key)
    _openssl("req", "-new", *new_key, "-subj", f"/CN={name}", "-out", asked)
    by = ("-selfsign",) if signer == name else ("-cert", scratch / f"{signer}.crt")
    options = ("-startdate", START, "-enddate", end, "-extfile", extensions, "-keyfile", scratch / f"{signer}.key")
    config = ("-batch", "-notext", "-config", scratch / "settings")
    _openssl("ca", *config, *by, *options, "-in", asked, "-out", certificate)


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


if __name__ == "__main__":
    make(FOLDER)
