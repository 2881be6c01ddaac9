"""Ed25519 signatures of manifests: the only door of cryptography.

What is signed is the manifest's bytes, which hold every other file's hash. The signature is 64 plain bytes, so openssl
makes and checks the same: ``openssl pkeyutl -sign -rawin -inkey key.pem -in manifest.json -out manifest.sig``.
"""

from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key


def sign(content: bytes, private_key_file: Path) -> bytes:
    """Sign with a private key, PEM without a password.

    Returns
    -------
    bytes
        64 of them.

    Raises
    ------
    ValueError
        If the file holds no such key.
    """
    key = load_pem_private_key(private_key_file.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{private_key_file} holds no Ed25519 key; `openssl genpkey -algorithm ed25519` makes one")  # noqa: TRY004 - a file's content
    return key.sign(content)


def is_signed(content: bytes, signature: bytes, public_key_file: Path) -> bool:
    """Tell whether a signature is that of a public key, PEM.

    Raises
    ------
    ValueError
        If the file holds no such key.
    """
    key = load_pem_public_key(public_key_file.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{public_key_file} holds no Ed25519 public key")  # noqa: TRY004 - a file's content
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True
