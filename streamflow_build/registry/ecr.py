"""Amazon's ECR, where a repository has to be there before an image can be pushed to it.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from streamflow_build.errors import RegistryError, UsageError
from streamflow_build.model.reference import ecr_region


def create_repositories(host: str, names: Iterable[str]) -> None:
    """Make the repositories that a registry of ECR lacks.

    The account is that of AWS's own variables and files. Raises UsageError where boto3 isn't installed, RegistryError
    where AWS refuses.
    """
    try:
        import boto3  # noqa: PLC0415 - an extra, and slow to import
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    except ImportError:
        raise UsageError(
            f"Making repositories at {host} needs boto3, which is not installed.",
            hint="Install it with: pip install 'streamflow-build[ecr]'",
        ) from None
    name = ""
    try:
        client = boto3.client("ecr", region_name=ecr_region(host))
        for name in names:
            with suppress(client.exceptions.RepositoryAlreadyExistsException):
                client.create_repository(repositoryName=name)
    except (BotoCoreError, ClientError) as error:
        raise RegistryError(
            f"The repository {name} can't be made at {host}: {error}",
            hint="See that AWS's credentials are set, and that they allow ecr:CreateRepository.",
        ) from error
