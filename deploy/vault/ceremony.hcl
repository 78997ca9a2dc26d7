# A custodian at a key ceremony: makes card keys or enters one component of
# them, exports transport keys as key blocks, writes card profiles, and makes
# the online signing keys. Two custodians have two tokens: the engine refuses
# two components from one. A new issuing key signs its own certification
# request (RFC 2986), hence the right to sign.
path "hsm/keys" {
  capabilities = ["list"]
}
path "hsm/keys/+" {
  capabilities = ["create", "read", "update"]
}
path "hsm/keys/+/components" {
  capabilities = ["create", "update"]
}
path "hsm/keys/+/export" {
  capabilities = ["create", "update"]
}
path "hsm/profiles/+" {
  capabilities = ["create", "read", "update"]
}
# Not issuing-*: a glob at the end would also match .../config, where a key can be
# made exportable. Vault takes no other parameter than the type.
path "transit/keys/+" {
  capabilities       = ["create", "read", "update"]
  allowed_parameters = { "type" = ["ecdsa-p256", "ecdsa-p384", "rsa-3072"] }
}
path "transit/sign/issuing-*" {
  capabilities = ["update"]
}
