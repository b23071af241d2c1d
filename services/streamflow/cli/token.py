"""`streamflow token`: a bearer token."""

from streamflow.shared.auth import Role, mint
from streamflow.shared.settings import Settings, read


def run(subject: str, role: Role, hours: float) -> int:
    """Print a token that the services take whose JWT_SECRET_KEY is the environment's."""
    print(mint(read(Settings).jwt_secret_key, subject, role, int(hours * 3600)))  # noqa: T201
    return 0
