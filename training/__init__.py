"""The offline part: phantoms, features, heads, the paper's protocol, bundles."""

import app  # noqa: F401 - before anything loads onnxruntime: see there
