"""The gRPC methods that a session offers, by their paths in BuildKit's ``session/*/*.proto`` and gRPC's own."""

CHECK = "/grpc.health.v1.Health/Check"
SECRET = "/moby.buildkit.secrets.v1.Secrets/GetSecret"  # noqa: S105 - a path
CREDENTIALS = "/moby.filesync.v1.Auth/Credentials"
CONTEXT = "/moby.filesync.v1.FileSync/DiffCopy"
REFUSED = (
    "/moby.filesync.v1.Auth/GetTokenAuthority",
    "/moby.filesync.v1.Auth/VerifyTokenAuthority",
    "/moby.filesync.v1.Auth/FetchToken",
    "/moby.sshforward.v1.SSH/CheckAgent",
    "/moby.sshforward.v1.SSH/ForwardAgent",
)
"""Offered to be refused: a method that isn't offered is answered in a way which the engine takes for a broken
session."""
OFFERED = (CHECK, SECRET, CREDENTIALS, CONTEXT, *REFUSED)
