"""`storage_options` by the names that users of fsspec have: each is honoured, or said to change nothing, or refused by its name."""

from __future__ import annotations

import base64
import json
import warnings

import pytest
from rowstream import load_dataset
from rowstream.storage.access import StorageOptions as Access
from rowstream.storage.options.base import flat
from rowstream.storage.options.clouds import of_cloud

from tests.wire.conftest import FAST, far


@pytest.fixture
def s3(server):
    return {**FAST, "endpoint_url": server.s3, "anon": True}


def read(options):
    return far("s3://bucket/a.jsonl", "a.jsonl", storage_options=options)


NESTED = {
    "client_kwargs": {"verify": False, "use_ssl": True},
    "config_kwargs": {"proxies": {"https": "http://127.0.0.1:1"}, "bogus": 1},
}


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ({"bogus": 1, "other": 2}, ["bogus", "other"]),
        ({"client_kwargs": {"verify": False}}, ["client_kwargs.verify", "AWS_CA_BUNDLE"]),
        ({"client_kwargs": {"verify": "/ca.pem"}}, ["client_kwargs.verify"]),
        ({"verify": False}, ["verify"]),
        (
            {"s3_additional_kwargs": {"ACL": "private", "StorageClass": "GLACIER"}},
            ["s3_additional_kwargs.ACL", "s3_additional_kwargs.StorageClass"],
        ),
        ({"config_kwargs": {"use_fips_endpoint": True}}, ["config_kwargs.use_fips_endpoint"]),
        ({"config_kwargs": {"signature_version": "s3"}}, ["config_kwargs.signature_version"]),
        (
            {"session": object(), "config_kwargs": {"s3": {"use_accelerate_endpoint": True}}},
            ["session", "use_accelerate_endpoint"],
        ),
        # What the core's crate takes for a client that is not used.
        (
            {"aws_allow_invalid_certificates": True, "proxy_url": "http://127.0.0.1:1"},
            ["aws_allow_invalid_certificates", "proxy_url"],
        ),
        (
            NESTED,
            ["client_kwargs.verify", "config_kwargs.proxies", "config_kwargs.bogus", "HTTPS_PROXY"],
        ),
    ],
)
def test_what_is_not_honoured_is_an_error_that_names_all_of_it(s3, more, names):
    with pytest.raises(ValueError, match="storage_options") as error:
        read(s3 | more)
    assert all(name in str(error.value) for name in names)
    assert "default_block_size" not in str(error.value)


@pytest.mark.parametrize(
    "more",
    [
        {"default_block_size": 1 << 20, "default_cache_type": "none", "default_fill_cache": False},
        {"use_listings_cache": False, "skip_instance_cache": True, "asynchronous": False},
        {"version_aware": True, "max_concurrency": 3, "cache_regions": True},
        {"config_kwargs": {"max_pool_connections": 50, "connect_timeout": 3}},
        {
            "config_kwargs": {
                "s3": {"us_east_1_regional_endpoint": "regional"},
                "retries": {"mode": "adaptive"},
            }
        },
    ],
)
def test_what_changes_nothing_is_a_warning_that_names_it(server, s3, local, more):
    with pytest.warns(UserWarning, match="change nothing") as told:
        assert read(s3 | more) == local("a.jsonl")
    assert all(
        f"'{name}'" in str(told[0].message)
        for name, _ in flat(more, "config_kwargs", "config_kwargs.s3", "config_kwargs.retries")
    )
    with (
        warnings.catch_warnings(action="ignore"),
        pytest.raises(ValueError, match="bogus") as error,
    ):
        read(s3 | more | {"bogus": 1})
    assert "default_" not in str(error.value)


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        (
            {"key": "K", "secret": "S", "token": "T"},
            {"aws_access_key_id": "K", "aws_secret_access_key": "S", "aws_session_token": "T"},
        ),
        (
            {"username": "K", "password": "S"},
            {"aws_access_key_id": "K", "aws_secret_access_key": "S"},
        ),
        (
            {"access_key_id": "K", "aws_secret_access_key": "S"},
            {"aws_access_key_id": "K", "aws_secret_access_key": "S"},
        ),
        ({"client_kwargs": {"aws_access_key_id": "K"}, "key": "L"}, {"aws_access_key_id": "L"}),
        ({"client_kwargs": {"region_name": "eu-west-3"}}, {"aws_region": "eu-west-3"}),
        (
            {"config_kwargs": {"region_name": "a"}, "client_kwargs": {"region_name": "b"}},
            {"aws_region": "b"},
        ),
        (
            {"client_kwargs": {"endpoint_url": "http://a"}},
            {"aws_endpoint": "http://a", "aws_allow_http": "true"},
        ),
        (
            {"client_kwargs": {"endpoint_url": "http://a"}, "endpoint_url": "https://b"},
            {"aws_endpoint": "https://b"},
        ),
        ({"requester_pays": True}, {"aws_request_payer": "true"}),
        ({"s3_additional_kwargs": {"RequestPayer": "requester"}}, {"aws_request_payer": "true"}),
        (
            {"s3_additional_kwargs": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "k"}},
            {"aws_server_side_encryption": "aws:kms", "aws_sse_kms_key_id": "k"},
        ),
        (
            {
                "s3_additional_kwargs": {
                    "SSECustomerAlgorithm": "AES256",
                    "SSECustomerKey": b"k" * 32,
                }
            },
            {
                "aws_server_side_encryption": "sse-c",
                "aws_sse_customer_key_base64": base64.b64encode(b"k" * 32).decode(),
            },
        ),
        (
            {"config_kwargs": {"s3": {"addressing_style": "virtual"}}},
            {"aws_virtual_hosted_style_request": "true"},
        ),
        (
            {"config_kwargs": {"s3": {"addressing_style": "path"}}},
            {"aws_virtual_hosted_style_request": "false"},
        ),
        (
            {"config_kwargs": {"s3": {"payload_signing_enabled": False}}},
            {"aws_unsigned_payload": "true"},
        ),
        (
            {"config_kwargs": {"signature_version": type("UNSIGNED", (), {})()}},
            {"aws_skip_signature": "true"},
        ),
        (
            {
                "use_ssl": True,
                "client_kwargs": {"verify": True, "use_ssl": True},
                "config_kwargs": {"use_fips_endpoint": False},
            },
            {},
        ),
        (
            {"use_ssl": False, "endpoint_url": "http://a"},
            {"aws_endpoint": "http://a", "aws_allow_http": "true"},
        ),
        ({"profile": None, "bogus": None}, {}),
    ],
)
def test_what_is_honoured_by_s3(server, more, wanted):
    made, patience = of_cloud("s3", more)
    assert {
        name: value for name, value in made.items() if name not in ("aws_region", *wanted)
    } == {}
    assert wanted.items() <= made.items()
    assert patience == {}


def test_patience_by_the_names_of_botocore(server):
    config = {"read_timeout": 7, "retries": {"max_attempts": 3}}
    assert of_cloud("s3", {"config_kwargs": config})[1] == {"timeout": 7, "retries": 3}
    assert of_cloud("s3", {"config_kwargs": {"retries": {"total_max_attempts": 3}}})[1] == {
        "retries": 2
    }
    made = Access(None, {"config_kwargs": config, "timeout": 2, "anon": True})._settings("s3")
    assert made["patience"] == {"timeout": 2, "retries": 3}


def test_plain_http_needs_an_endpoint(server, monkeypatch, local, s3):
    with pytest.raises(ValueError, match=r"use_ssl.*endpoint_url"):
        of_cloud("s3", {"use_ssl": False})
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.s3)
    assert read({**FAST, "anon": True, "use_ssl": False}) == local("a.jsonl")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"token": "anon"}, {"google_skip_signature": "true"}),
        ({"token": "google_default"}, {}),
        (
            {"token": {"type": "service_account", "a": 1}},
            {"google_service_account_key": '{"type": "service_account", "a": 1}'},
        ),
        ({"token": "ya29.token"}, {"google_bearer_token": "ya29.token"}),
        ({"token": "none.json"}, {"google_service_account": "none.json"}),
        ({"token": "account.json"}, {"google_service_account": "account.json"}),
        ({"token": "user.json"}, {"google_application_credentials": "user.json"}),
        ({"endpoint_url": "http://a", "requester_pays": False}, {"google_base_url": "http://a"}),
    ],
)
def test_what_is_honoured_by_gcs(server, tmp_path, monkeypatch, given, wanted):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "account.json").write_text('{"type": "service_account"}')
    (tmp_path / "user.json").write_text('{"type": "authorized_user"}')
    assert of_cloud("gs", given) == (wanted, {})


ACCOUNT = {"azure_storage_account_name": "a", "azure_storage_account_key": "k=="}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"account_name": "a", "account_key": "k=="}, ACCOUNT),
        (
            {"connection_string": "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=k==;"},
            ACCOUNT,
        ),
        (
            {
                "connection_string": "AccountName=a;AccountKey=k==;EndpointSuffix=core.chinacloudapi.cn"
            },
            {**ACCOUNT, "azure_storage_endpoint": "https://a.blob.core.chinacloudapi.cn"},
        ),
        (
            {
                "connection_string": "BlobEndpoint=http://127.0.0.1:1/a;SharedAccessSignature=sv=1&sig=x"
            },
            {
                "azure_storage_endpoint": "http://127.0.0.1:1/a",
                "azure_storage_sas_key": "sv=1&sig=x",
            },
        ),
        (
            {"account_host": "h", "sas_token": "s"},
            {"azure_storage_endpoint": "https://h", "azure_storage_sas_key": "s"},
        ),
        (
            {"use_emulator": True, "azure_storage_token": "t"},
            {"azure_storage_use_emulator": "true", "azure_storage_token": "t"},
        ),
    ],
)
def test_what_is_honoured_by_azure(server, given, wanted):
    assert of_cloud("az", given) == (wanted, {})


@pytest.mark.parametrize(
    ("kind", "given", "names"),
    [
        (
            "gs",
            {"requester_pays": True, "session_kwargs": {}},
            ["requester_pays", "session_kwargs"],
        ),
        ("gs", {"token": "browser"}, ["token"]),
        ("gs", {"token": {"type": "authorized_user"}}, ["token"]),
        ("az", {"credential": object(), "account": "a"}, ["credential", "account"]),
    ],
)
def test_what_other_object_stores_do_not_honour(server, kind, given, names):
    with pytest.raises(ValueError, match="not honoured") as error:
        of_cloud(kind, given)
    assert all(f"'{name}'" in str(error.value) for name in names)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"key": 1, "anon": True}, ["key", "anon"]),
        (
            {"client_kwargs": {"connector": object(), "trust_env": False}},
            ["client_kwargs.connector", "client_kwargs.trust_env"],
        ),
        ({"ssl": False, "proxy": "http://127.0.0.1:1"}, ["ssl", "proxy"]),
        ({"auth": object()}, ["auth"]),
        # A token of another service is not for the Hub.
        ({"token": "ya29.canary"}, ["token"]),
    ],
)
def test_what_http_does_not_honour(server, given, names):
    with pytest.raises(ValueError, match="storage_options") as error:
        far(f"{server.http}/a.jsonl", "a.jsonl", storage_options=given)
    assert all(f"'{name}'" in str(error.value) for name in names)
    assert "canary" not in str(error.value)
    assert server.log() == []


def test_what_changes_nothing_for_http(server, local):
    timeout = type("ClientTimeout", (), {"total": 3600})()
    for given in (
        {"client_kwargs": {"timeout": timeout, "trust_env": True}},
        {"timeout": timeout, "block_size": 1, "encoded": True},
    ):
        with pytest.warns(UserWarning, match="timeout"):
            assert far(f"{server.http}/a.jsonl", "a.jsonl", storage_options=given) == local(
                "a.jsonl"
            )


def test_a_token_of_the_hub_among_options(server):
    server.repo("org/secret", {"train.jsonl": b'{"id": 1}\n'}, private=True)
    for given in (
        {"token": "hf_member"},
        {"hf": {"token": "hf_member"}},
        {"hf": {"token": "hf_member"}, "s3": {"token": "other"}},
    ):
        ds = load_dataset(
            "json",
            data_files="hf://datasets/org/secret/train.jsonl",
            split="train",
            streaming=True,
            storage_options=given,
        )
        assert [row["id"] for row in ds] == [1]
    with pytest.raises(FileNotFoundError):
        load_dataset(
            "org/secret",
            streaming=True,
            token=False,
            storage_options={"hf": {"token": "hf_member"}},
        )


def test_options_of_a_scheme_stand_beside_those_of_all(server, local):
    given = {
        "timeout": 3,
        "s3a": {"endpoint_url": server.s3, "anon": True},
        "hf": {},
        "https": {"headers": {server.http: {"X": "1"}}},
    }
    access = Access(None, given)
    assert access._settings("s3")["patience"] == {"timeout": 3}
    assert access._settings("http")["patience"] == {"timeout": 3}
    assert access._settings("http")["headers"] == {server.http: {"X": "1"}}
    assert read(given) == local("a.jsonl")


# ------------------------------------------------------------------------------------------------------------- credentials


@pytest.mark.parametrize("value", ["true", "1", "TRUE"])
def test_where_no_machine_may_be_asked_missing_credentials_are_told_at_once(
    server, monkeypatch, value
):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", value)
    with pytest.raises(PermissionError, match="no credentials") as error:
        read({**FAST, "endpoint_url": server.s3})
    assert "169.254" not in str(error.value)
    assert "anon" in str(error.value)
    assert server.log() == []


@pytest.mark.parametrize(
    "given",
    [
        {"anon": True},
        {"key": "K", "secret": "S"},
        {"skip_signature": True},
        {"web_identity_token_file": "/t", "role_arn": "r"},
        {"aws_container_credentials_relative_uri": "/x"},
    ],
)
def test_where_no_machine_may_be_asked_other_credentials_do(server, monkeypatch, given):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert of_cloud("s3", given)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SKIP_SIGNATURE"):
        with monkeypatch.context() as set_:
            set_.setenv(name, "true")
            assert of_cloud("s3", {})


def test_a_machine_of_google_that_may_not_be_asked(server, monkeypatch, tmp_path):
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(PermissionError, match="no credentials for gs"):
        far("gs://bucket/a.jsonl", "a.jsonl", storage_options={"endpoint_url": server.s3})
    assert of_cloud("gs", {"token": "anon"})[0] == {"google_skip_signature": "true"}
    folder = tmp_path / ".config" / "gcloud"
    folder.mkdir(parents=True)
    (folder / "application_default_credentials.json").write_text("{}")
    assert of_cloud("gs", {}) == ({}, {})


def test_where_a_machine_is_asked(server, monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1/")
    assert of_cloud("s3", {})[0]["aws_metadata_endpoint"] == "http://127.0.0.1:1"
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6")
    assert of_cloud("s3", {})[0]["aws_metadata_endpoint"] == "http://[fd00:ec2::254]"
    assert json.dumps(of_cloud("s3", {"metadata_endpoint": "http://a"})[0]).count("http://a") == 1
