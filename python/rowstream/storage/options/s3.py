"""Options of S3: those of s3fs and botocore, of a profile, and of environment variables with
credentials.
"""

from __future__ import annotations

import base64
import configparser
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rowstream.exceptions import FilePermissionError, InvalidArgumentError
from rowstream.storage.options.base import (
    IDLE,
    Meaning,
    flag,
    flat,
    off,
    on,
    refused,
    sorted_out,
    text,
    true,
    wait,
)

_OWN = {
    "aws_": (
        *(
            "access_key_id",
            "secret_access_key",
            "session_token",
            "token",
            "region",
            "default_region",
            "endpoint",
            "endpoint_url",
        ),
        *(
            "endpoint_url_s3",
            "endpoint_url_sts",
            "virtual_hosted_style_request",
            "s3_express",
            "imdsv1_fallback",
            "metadata_endpoint",
        ),
        *(
            "unsigned_payload",
            "checksum_algorithm",
            "container_credentials_relative_uri",
            "container_credentials_full_uri",
        ),
        *(
            "container_authorization_token_file",
            "web_identity_token_file",
            "role_arn",
            "role_session_name",
            "skip_signature",
        ),
        *(
            "copy_if_not_exists",
            "conditional_put",
            "disable_tagging",
            "disable_bulk_delete",
            "request_payer",
            "allow_http",
        ),
        *(
            "server_side_encryption",
            "sse_kms_key_id",
            "sse_bucket_key_enabled",
            "sse_customer_key_base64",
        ),
    ),
}
"""The names of the `object_store` crate, but for those of a client that is not used here."""

_NESTS = (
    "client_kwargs",
    "config_kwargs",
    "config_kwargs.s3",
    "config_kwargs.retries",
    "s3_additional_kwargs",
)

_IDLE = IDLE | {
    *(
        "cache_regions",
        "fixed_upload_size",
        "local_expiry_check",
        "client_kwargs.api_version",
        "client_kwargs.aws_account_id",
    ),
    *(
        "config_kwargs.connect_timeout",
        "config_kwargs.max_pool_connections",
        "config_kwargs.user_agent",
        "config_kwargs.user_agent_extra",
    ),
    *(
        "config_kwargs.parameter_validation",
        "config_kwargs.tcp_keepalive",
        "config_kwargs.inject_host_prefix",
    ),
    *("config_kwargs.request_checksum_calculation", "config_kwargs.response_checksum_validation"),
    *("config_kwargs.retries.mode", "config_kwargs.s3.us_east_1_regional_endpoint"),
}


def _signature(value: Any) -> dict[str, Any] | None:
    """Return the options for `signature_version`; botocore's `UNSIGNED` means no signatures."""
    if type(value).__name__ == "UNSIGNED":
        return {"aws_skip_signature": "true"}
    return {} if value in ("v4", "s3v4") else None


def _style(value: Any) -> dict[str, Any] | None:
    if value not in ("auto", "path", "virtual"):
        return None
    return {} if value == "auto" else {"aws_virtual_hosted_style_request": text(value == "virtual")}


def _customer_key(value: Any) -> dict[str, Any]:
    key = value if isinstance(value, bytes) else str(value).encode()
    return {
        "aws_server_side_encryption": "sse-c",
        "aws_sse_customer_key_base64": base64.b64encode(key).decode(),
    }


_MEANINGS: dict[str, Meaning] = {
    "config_kwargs.region_name": "aws_region",
    "config_kwargs.signature_version": _signature,
    "config_kwargs.read_timeout": wait,
    "config_kwargs.retries.max_attempts": lambda value: {"retries": value},
    "config_kwargs.retries.total_max_attempts": lambda value: {"retries": max(0, value - 1)},
    "config_kwargs.s3.addressing_style": _style,
    "config_kwargs.s3.payload_signing_enabled": lambda value: {
        "aws_unsigned_payload": text(not value)
    },
    "config_kwargs.s3.use_accelerate_endpoint": off,
    "config_kwargs.use_dualstack_endpoint": off,
    "config_kwargs.use_fips_endpoint": off,
    "client_kwargs.region_name": "aws_region",
    "client_kwargs.endpoint_url": "aws_endpoint",
    "client_kwargs.aws_access_key_id": "aws_access_key_id",
    "client_kwargs.aws_secret_access_key": "aws_secret_access_key",
    "client_kwargs.aws_session_token": "aws_session_token",
    "client_kwargs.verify": on,
    "s3_additional_kwargs.RequestPayer": lambda value: (
        {"aws_request_payer": "true"} if value == "requester" else None
    ),
    "s3_additional_kwargs.ServerSideEncryption": "aws_server_side_encryption",
    "s3_additional_kwargs.SSEKMSKeyId": "aws_sse_kms_key_id",
    "s3_additional_kwargs.BucketKeyEnabled": "aws_sse_bucket_key_enabled",
    "s3_additional_kwargs.SSECustomerAlgorithm": lambda value: {} if value == "AES256" else None,
    "s3_additional_kwargs.SSECustomerKey": _customer_key,
    "verify": on,
    "username": "aws_access_key_id",
    "password": "aws_secret_access_key",
    "key": "aws_access_key_id",
    "secret": "aws_secret_access_key",
    "token": "aws_session_token",
    "endpoint_url": "aws_endpoint",
    "region_name": "aws_region",
    "anon": "aws_skip_signature",
    "aws_anonymous": "aws_skip_signature",
    "requester_pays": "aws_request_payer",
    # Whether it is so, the endpoint's URL says.
    "use_ssl": lambda value: {"ssl": value},
    "client_kwargs.use_ssl": lambda value: {"ssl": value},
}


def meant(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options under the core's names, with those of the profile and the environment.

    Raises:
        FilePermissionError: There are no credentials, and the environment forbids looking for them.
    """
    given = dict(flat(options, *_NESTS))
    named = given.pop("profile", None)
    result: dict[str, Any] = (
        _profile(named) if named or "AWS_ACCESS_KEY_ID" not in os.environ else {}
    )
    result |= sorted_out("s3://", given, _MEANINGS, _IDLE, _OWN)
    names = ("aws_endpoint_url_s3", "aws_endpoint", "aws_endpoint_url")
    endpoint = next((result[name] for name in names if name in result), "")
    if result.pop("ssl", True) is False and not (
        endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    ):
        raise refused("s3://", ["use_ssl"])
    if endpoint.startswith("http://"):
        result.setdefault("aws_allow_http", "true")
    result.setdefault(
        "aws_region",
        os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
    )
    if not result.keys() & {"aws_metadata_endpoint"} and (at := _metadata()):
        result["aws_metadata_endpoint"] = at
    if flag("AWS_EC2_METADATA_DISABLED") and not _credentials(result):
        raise FilePermissionError(
            "there are no credentials for s3://, and AWS_EC2_METADATA_DISABLED is set: give"
            " storage_options={'key': …, 'secret': …}, a profile, or AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY; {'anon': True} for what is public"
        )
    return result


def _metadata() -> str:
    """Return the URL of the service with a machine's credentials, if the environment sets it."""
    if "AWS_METADATA_ENDPOINT" in os.environ:
        return ""  # the core's own name
    if os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "").lower() == "ipv6":
        return "http://[fd00:ec2::254]"
    return os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "").rstrip("/")


def _credentials(made: Mapping[str, Any]) -> bool:
    """Return whether there are credentials or none are needed, without asking the machine."""

    def there(*names: str) -> bool:
        return all(made.get(name) or os.environ.get(name.upper()) for name in names)

    return (
        there("aws_access_key_id")
        or true(made.get("aws_skip_signature", os.environ.get("AWS_SKIP_SIGNATURE")))
        or there("aws_web_identity_token_file", "aws_role_arn")
        or there("aws_container_credentials_relative_uri")
        or there("aws_container_credentials_full_uri", "aws_container_authorization_token_file")
    )


def _profile(name: str | None) -> dict[str, Any]:
    """Return the credentials and the region of a profile in AWS's files.

    An error is raised if a named profile does not exist.
    """
    named = name or os.environ.get("AWS_PROFILE")
    profile, found, there = named or "default", {}, False
    for variable, default, section in (
        ("AWS_CONFIG_FILE", "config", profile if profile == "default" else f"profile {profile}"),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", profile),
    ):
        file = configparser.RawConfigParser()
        place = os.environ.get(variable)
        try:
            file.read(
                (
                    Path(os.path.expandvars(place)).expanduser()
                    if place
                    else Path.home() / ".aws" / default
                ),
                encoding="utf-8",
            )
        except configparser.Error:
            continue
        if file.has_section(section):
            there = True
            for key in (
                "aws_access_key_id",
                "aws_secret_access_key",
                "aws_session_token",
                "region",
                "endpoint_url",
            ):
                if value := file.get(section, key, fallback=None):
                    found[
                        {"region": "aws_region", "endpoint_url": "aws_endpoint"}.get(key, key)
                    ] = value
    if named and not there:
        raise InvalidArgumentError(
            f"there is no AWS profile {named!r} in ~/.aws/config or ~/.aws/credentials, or where"
            " AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE point"
        )
    return found
