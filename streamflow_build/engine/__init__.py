"""The Docker Engine: images, and builds by the BuildKit inside it, over docker-py's connection."""
