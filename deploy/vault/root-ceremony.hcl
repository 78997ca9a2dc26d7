# The root ceremony: makes the root key and signs the root certificate, the
# issuing certificates and the root's CRL. `sceau ceremony` makes the token for
# the minutes of these acts and revokes it right after; the mount holds nothing
# else.
path "transit-root/keys/+" {
  capabilities       = ["create", "read", "update"]
  allowed_parameters = { "type" = ["ecdsa-p256", "ecdsa-p384", "rsa-3072"] }
}
path "transit-root/sign/root-*" {
  capabilities = ["update"]
}
# A rehearsal has a key of its own, by this name.
path "transit-root/sign/rehearsal-*" {
  capabilities = ["update"]
}
