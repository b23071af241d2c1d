#!/bin/bash
# The build half of the script that streamflow-build replaces: one image after another.
# IMAGE_PREFIX keeps its images apart from others; SECRETS holds the `--secret` options, which a proxy makes necessary.
set -e
VERSION=${1:-latest}
read -ra secrets <<< "${SECRETS:-}"

for service in ingestion analytics alerting dashboard storage; do
    if [ ! -f "docker/$service/Dockerfile" ]; then
        echo "Warning: docker/$service/Dockerfile not found, skipping"
        continue
    fi
    image="${IMAGE_PREFIX:-streamflow}-$service"
    echo "Building $image:$VERSION"
    docker build "${secrets[@]}" -t "$image:$VERSION" -t "$image:latest" -f "docker/$service/Dockerfile" .
done
