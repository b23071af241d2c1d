"""The nouns: what streamflow.yaml says, as frozen data, and the rules of versions, tags and image names."""
