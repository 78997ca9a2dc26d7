# `sceau ocsp`: signs answers with the responders' keys (RFC 6960 §4.2.2.2,
# delegated), never with the issuer's.
path "transit/keys/ocsp-*" {
  capabilities = ["read"]
}
path "transit/sign/ocsp-*" {
  capabilities = ["update"]
}
# Tells by the marks whether the database was restored to an earlier day.
path "hsm/marks/+" {
  capabilities = ["read"]
}
