"""Options of Azure: those of adlfs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rowstream.storage.options.base import IDLE, Meaning, flat, sorted_out, wait

_OWN = {
    "azure_storage_": (
        *(
            "account_name",
            "account_key",
            "access_key",
            "master_key",
            "client_id",
            "client_secret",
            "tenant_id",
            "authority_id",
        ),
        *(
            "authority_host",
            "sas_key",
            "sas_token",
            "token",
            "use_emulator",
            "endpoint",
            "encryption_key",
        ),
    ),
    "azure_": (
        *(
            "client_id",
            "client_secret",
            "tenant_id",
            "authority_id",
            "authority_host",
            "endpoint",
            "msi_endpoint",
            "identity_endpoint",
        ),
        *(
            "object_id",
            "msi_resource_id",
            "federated_token_file",
            "use_azure_cli",
            "skip_signature",
            "disable_tagging",
            "allow_http",
        ),
        *(
            "use_fabric_endpoint",
            "fabric_token_service_url",
            "fabric_workload_host",
            "fabric_session_token",
        ),
        *("fabric_cluster_identifier", "credential_type"),
    ),
}

_IDLE = IDLE | {
    "blocksize",
    "location_mode",
    "assume_container_exists",
    "request_session",
    "connection_timeout",
}

_CONNECTION = {
    "accountname": "azure_storage_account_name",
    "accountkey": "azure_storage_account_key",
    "sharedaccesssignature": "azure_storage_sas_key",
    "blobendpoint": "azure_storage_endpoint",
}


def _connection(value: Any) -> dict[str, Any]:
    """Return the options in a connection string: `AccountName=…;AccountKey=…`."""
    parts = (part.partition("=") for part in str(value).split(";"))
    said = {name.strip().lower(): of.strip() for name, _, of in parts if of}
    if "blobendpoint" not in said and said.keys() >= {"endpointsuffix", "accountname"}:
        scheme = said.get("defaultendpointsprotocol", "https")
        said["blobendpoint"] = f"{scheme}://{said['accountname']}.blob.{said['endpointsuffix']}"
    return {core: said[name] for name, core in _CONNECTION.items() if name in said}


_MEANINGS: dict[str, Meaning] = {
    "connection_string": _connection,
    "credential": lambda value: (
        {"azure_storage_sas_key": value} if isinstance(value, str) else None
    ),
    "account_name": "azure_storage_account_name",
    "account_key": "azure_storage_account_key",
    "sas_token": "azure_storage_sas_key",
    "tenant_id": "azure_storage_tenant_id",
    "client_id": "azure_storage_client_id",
    "client_secret": "azure_storage_client_secret",
    "anon": "azure_skip_signature",
    "endpoint_url": "azure_storage_endpoint",
    "account_host": lambda value: {"azure_storage_endpoint": f"https://{value}"},
    "socket_timeout": wait,
    "read_timeout": wait,
}


def meant(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options under the core's names."""
    return sorted_out("az://", dict(flat(options)), _MEANINGS, _IDLE, _OWN)
