"""Signatures of manifests: Ed25519, with keys in PEM files as OpenSSL writes them too.

Owns keys and signatures; what is signed, and what follows from a wrong signature, its users know. The secret key is
needed where archives are built, never where they are served.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from server.manifests import signature_of

KEY_VARIABLE = "FISHGATE_PUBLIC_KEY"
"""Names the file of the public key. Set, nothing is served that its owner has not signed."""


class SignatureError(Exception):
    """A key cannot be used, or a signature is missing or wrong; the message says what to do."""


def public_key_file(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the file of the key whose signatures are demanded; None if none are."""
    name = environment.get(KEY_VARIABLE)
    return Path(name) if name else None


def make_keys(secret: Path) -> Path:
    """Write a new secret key, readable by its owner only, and ``SECRET.pub`` beside it, whose path is returned.

    Raises SignatureError rather than replace a key.
    """
    public = secret.with_name(f"{secret.name}.pub")
    if secret.exists() or public.exists():
        raise SignatureError(f"{secret} or {public.name} is there already; choose another name")
    key = Ed25519PrivateKey.generate()
    with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return public


def sign(manifest: Path, secret: Path) -> Path:
    """Sign a manifest and return the path of the signature; raise SignatureError if the key cannot be used."""
    key = _loaded(secret, lambda content: load_pem_private_key(content, password=None))
    if not isinstance(key, Ed25519PrivateKey):
        raise SignatureError(f"{secret} holds no Ed25519 secret key; make one with scripts/sign new-key")
    path = signature_of(manifest)
    path.write_text(base64.b64encode(key.sign(manifest.read_bytes())).decode() + "\n", encoding="ascii")
    return path


def check_signature(manifest: Path, public: Path) -> None:
    """Raise SignatureError unless the owner of the key has signed this manifest, exactly as it is."""
    key = _loaded(public, load_pem_public_key)
    if not isinstance(key, Ed25519PublicKey):
        raise SignatureError(f"{public} holds no Ed25519 public key; {KEY_VARIABLE} must name one")
    try:
        signature = base64.b64decode(signature_of(manifest).read_bytes(), validate=False)
        key.verify(signature, manifest.read_bytes())
    except FileNotFoundError:
        raise SignatureError(
            f"{manifest} is not signed, and {KEY_VARIABLE} demands it; sign it with scripts/sign, "
            "or bring the signed files here"
        ) from None
    except (InvalidSignature, binascii.Error):
        raise SignatureError(
            f"the signature of {manifest} is not that of {public.name}: the manifest was changed, "
            "or somebody else has signed it; bring the signed files here again"
        ) from None


def _loaded(path: Path, load: Callable[[bytes], object]) -> object:
    try:
        return load(path.read_bytes())
    except OSError as error:
        raise SignatureError(f"the key {path} cannot be read ({error.strerror})") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SignatureError(f"{path} is no key in PEM form, without password") from None
