# `sceau work`, but for the PIN-letter queue: personalises cards, destroys PINs
# that must not be used, signs certificates, CRLs, prepared OCSP answers and
# bureau files. It can neither read a PIN nor make, export or configure a key.
path "hsm/card/personalise" {
  capabilities = ["create", "update"]
}
path "hsm/card/rekey" {
  capabilities = ["create", "update"]
}
path "hsm/pin/destroy" {
  capabilities = ["create", "update"]
}
path "transit/keys/issuing-*" {
  capabilities = ["read"]
}
path "transit/sign/issuing-*" {
  capabilities = ["update"]
}
path "transit/keys/ocsp-*" {
  capabilities = ["read"]
}
path "transit/sign/ocsp-*" {
  capabilities = ["update"]
}
path "transit/keys/bureau-*" {
  capabilities = ["read"]
}
path "transit/sign/bureau-*" {
  capabilities = ["update"]
}
# Unwraps the key under which card numbers are sealed in the database, once at
# its start, and has the first one made.
path "transit/decrypt/safe" {
  capabilities = ["update"]
}
path "transit/datakey/wrapped/safe" {
  capabilities = ["update"]
}
# Numbers that only rise, beside the database: which lists were signed.
path "hsm/marks/+" {
  capabilities = ["create", "read", "update"]
}
