"""Object stores: buckets of other regions, machines that give credentials or none, and certificates that the environment names."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import rowstream

from tests.wire.conftest import FAST, far


@pytest.fixture
def serve():
    """Starts a server that answers with a function of the method, the path and the headers: a status, headers and a body."""
    servers = []

    def start(answer):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def reply(self):
                length = int(self.headers.get("Content-Length") or 0)
                status, headers, body = answer(
                    self.command, self.path, self.headers, self.rfile.read(length)
                )
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = reply  # noqa: N815 - so they are called

            def log_message(self, *args):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


# ----------------------------------------------------------------------------------------------------------------- regions

LISTING = """<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix></Prefix>
<KeyCount>1</KeyCount><MaxKeys>100</MaxKeys><IsTruncated>false</IsTruncated><Contents><Key>a.jsonl</Key><ETag>"x"</ETag>
<LastModified>2024-06-01T12:00:00.000Z</LastModified><Size>9</Size></Contents></ListBucketResult>"""


def elsewhere(status: int, named: bool, region: str = "eu-west-3"):
    """An S3 with one bucket, in one region, and what it was asked."""
    asked, objects = [], {"/b/a.jsonl": b'{"id": 1}'}

    def answer(method, path, headers, body):
        place, _, query = path.partition("?")
        scope = (
            headers.get("Authorization", "")
            .partition("Credential=")[2]
            .partition(",")[0]
            .split("/")
        )
        asked.append(scope[2] if len(scope) > 2 else "nobody")
        if asked[-1] != region:
            text = b"<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>"
            return status, {"x-amz-bucket-region": region} if named else {}, text
        if method == "PUT":
            objects[place] = body
            return 200, {"ETag": '"y"'}, b""
        if "list-type" in query:
            return 200, {"Content-Type": "application/xml"}, LISTING.encode()
        if place not in objects:
            return 404, {}, b"<Error><Code>NoSuchKey</Code></Error>"
        whole = {"ETag": '"x"', "Last-Modified": "Sat, 01 Jun 2024 12:00:00 GMT"}
        end = len(objects[place]) - 1
        return 206, {**whole, "Content-Range": f"bytes 0-{end}/{end + 1}"}, objects[place]

    return answer, asked, objects


@pytest.mark.parametrize("status", [301, 307, 400, 403])
def test_a_bucket_of_another_region(server, serve, status):
    answer, asked, objects = elsewhere(status, named=True)
    options = {**FAST, "endpoint_url": serve(answer), "key": "K", "secret": "S"}
    assert far("s3://b/a.jsonl", "a.jsonl", storage_options=options) == [{"id": 1}]
    assert asked[0] == "us-east-1"
    assert set(asked[1:]) == {"eu-west-3"}, "it is asked where it is from then on"
    assert far("s3://b/*.jsonl", "a.jsonl", storage_options=options | {"retries": 3}) == [{"id": 1}]
    with rowstream.open("s3://b/new.txt", "w", storage_options=options | {"retries": 2}) as file:
        file.write("new")
    assert objects["/b/new.txt"] == b"new"
    assert asked.count("us-east-1") == 3, "once for each of the settings"


def test_a_region_that_was_named_wrongly_is_left_too(server, serve):
    answer, asked, _ = elsewhere(301, named=True)
    options = {
        **FAST,
        "endpoint_url": serve(answer),
        "key": "K",
        "secret": "S",
        "client_kwargs": {"region_name": "ap-south-1"},
    }
    assert far("s3://b/a.jsonl", "a.jsonl", storage_options=options) == [{"id": 1}]
    assert asked[0] == "ap-south-1"


@pytest.mark.parametrize(("region", "named"), [("us-east-1", True), ("eu-west-3", False)])
def test_a_bucket_that_is_nowhere_is_not_asked_for_ever(server, serve, region, named):
    asked = []

    def answer(method, path, headers, body):
        asked.append(path)
        return (
            400,
            {"x-amz-bucket-region": region} if named else {},
            b"<Error><Code>AuthorizationHeaderMalformed</Code></Error>",
        )

    options = {**FAST, "endpoint_url": serve(answer), "key": "K", "secret": "S"}
    with pytest.raises(OSError, match="Malformed"):
        far("s3://b/a.jsonl", "a.jsonl", storage_options=options)
    assert len(asked) <= 2


def test_an_error_is_told_by_its_status_and_not_by_numbers_of_the_url(server, serve):
    asked = []

    def answer(method, path, headers, body):
        asked.append(method)
        if method == "HEAD":
            return (
                200,
                {"Content-Length": "9", "Last-Modified": "Mon, 30 Nov 2026 09:00:00 GMT"},
                b"",
            )
        return 400, {}, b"<Error><Code>AuthorizationHeaderMalformed</Code></Error>"

    options = {**FAST, "endpoint_url": serve(answer), "key": "K", "secret": "S"}
    with pytest.raises(OSError, match="Malformed"):
        far("s3://b/part-416.jsonl", "a.jsonl", storage_options=options)
    assert "HEAD" not in asked


# ---------------------------------------------------------------------------------------------------------------- machines


@pytest.fixture
def keyed(server, serve):
    """An S3 that tells by which key it was asked."""
    answer, asked, _ = elsewhere(403, named=False, region="us-east-1")
    return {**FAST, "endpoint_url": serve(answer)}, asked


@pytest.mark.parametrize("status", [None, 401, 403, 404, 503])
def test_without_credentials_the_error_says_so(keyed, serve, monkeypatch, status):
    options, asked = keyed
    machine = (
        "http://127.0.0.1:1" if status is None else serve(lambda *_: (status, {}, b"none here"))
    )
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", machine)
    with pytest.raises(PermissionError, match="no credentials for s3://") as error:
        far("s3://b/a.jsonl", "a.jsonl", storage_options=options)
    assert "s3://b/a.jsonl" in str(error.value)
    assert "anon" in str(error.value)
    assert machine not in str(error.value)
    assert "latest/api" not in str(error.value)
    with pytest.raises(PermissionError, match="no credentials for s3://"):
        far("s3://b/*.jsonl", "a.jsonl", storage_options=options)
    assert asked == []


def test_a_machine_that_gives_credentials(keyed, serve, monkeypatch):
    options, asked = keyed
    until = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    told = json.dumps(
        {
            "AccessKeyId": "MACHINE",
            "SecretAccessKey": "S",
            "Token": "T",
            "Expiration": until,
            "Code": "Success",
        }
    ).encode()

    def answer(method, path, headers, body):
        return (
            200,
            {},
            b"token"
            if path.endswith("token")
            else b"role"
            if path.endswith("credentials/")
            else told,
        )

    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", serve(answer))
    assert far("s3://b/a.jsonl", "a.jsonl", storage_options=options) == [{"id": 1}]
    assert set(asked) == {"us-east-1"}


def test_a_machine_of_google_that_gives_none(server, serve, monkeypatch):
    host = serve(lambda *_: (404, {}, b"none here")).removeprefix("http://")
    monkeypatch.setenv("GCE_METADATA_HOST", host)
    monkeypatch.setenv("GCE_METADATA_IP", host)
    with pytest.raises(PermissionError, match="no credentials for gs://") as error:
        far("gs://b/a.jsonl", "a.jsonl", storage_options={**FAST, "endpoint_url": server.s3})
    assert host not in str(error.value)
    assert server.log() == []


# ------------------------------------------------------------------------------------------------------------ certificates


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    """A server with a certificate of an authority that nobody knows, and the file of that authority."""
    import ssl

    pytest.importorskip("cryptography")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder = tmp_path_factory.mktemp("certified")
    now = dt.datetime.now(dt.UTC)

    def made(name: str, by=None):
        key = ec.generate_private_key(ec.SECP256R1())
        of = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        issuer, signer = by or (of, key)
        builder = (
            x509.CertificateBuilder()
            .subject_name(of)
            .issuer_name(issuer)
            .public_key(key.public_key())
        )
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(
            now - dt.timedelta(days=1)
        )
        builder = builder.not_valid_after(now + dt.timedelta(days=1))
        builder = builder.add_extension(
            x509.BasicConstraints(ca=by is None, path_length=None), critical=True
        )
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False
        )
        return builder.sign(signer, hashes.SHA256()), key, of

    authority, key, of = made("authority")
    leaf, leaf_key, _ = made("localhost", (of, key))
    pem = serialization.Encoding.PEM
    (folder / "ca").mkdir()
    (folder / "ca" / "authority.pem").write_bytes(authority.public_bytes(pem))
    (folder / "leaf.pem").write_bytes(leaf.public_bytes(pem))
    (folder / "leaf.key").write_bytes(
        leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "9")
            self.end_headers()
            self.wfile.write(b'{"id": 1}')

        def log_message(self, *args):
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request, client_address):
            """Whoever does not trust it goes away."""

    server = Quiet(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.pem", folder / "leaf.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_port}/a.jsonl", folder
    server.shutdown()
    server.server_close()


def secured(url: str, **variables: str) -> str:
    """What a process sees of a URL, with variables of the environment."""
    code = f"""
        import rowstream
        try:
            print(rowstream.open({url!r}, storage_options={{"timeout": 2, "retries": 1, "deadline": 5}}).read())
        except Exception as error:
            print(type(error).__name__, error)
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.endswith(("_CA_BUNDLE", "_PROXY", "_proxy")) and "SSL_CERT" not in name
    }
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    return ran.stdout.strip() or ran.stderr


@pytest.mark.heavy
@pytest.mark.parametrize(
    "variable", ["SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]
)
def test_certificates_that_the_environment_names(certified, variable):
    url, folder = certified
    assert secured(url, **{variable: str(folder / "ca" / "authority.pem")}) == '{"id": 1}'


@pytest.mark.heavy
def test_certificates_of_a_folder_and_what_is_none(certified):
    url, folder = certified
    assert secured(url, REQUESTS_CA_BUNDLE=str(folder / "ca")) == '{"id": 1}'
    assert "certificate" in secured(url, REQUESTS_CA_BUNDLE="")
    for place in (folder / "leaf.key", folder / "none.pem"):
        told = secured(url, AWS_CA_BUNDLE=str(place))
        assert "AWS_CA_BUNDLE" in told
        assert str(place) in told
