# The root ceremony: makes the root key and signs the root certificate, the
# issuing certificates and the root's CRL. The token is short-lived and given
# for the day; the mount holds nothing else.
path "transit-root/keys/+" {
  capabilities       = ["create", "read", "update"]
  allowed_parameters = { "type" = ["ecdsa-p256", "ecdsa-p384", "rsa-3072"] }
}
path "transit-root/sign/root-*" {
  capabilities = ["update"]
}
