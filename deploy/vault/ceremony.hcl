# An officer or custodian at a key ceremony: makes card keys, enters one
# component of them, imports and exports key blocks, rotates, retires, disables
# and deletes card keys, writes card profiles, opens the activities, and makes
# the online signing keys. Two custodians have two tokens: the engine refuses
# two components, and both halves of a step under dual control, from one. A new
# issuing key signs its own certification request (RFC 2986) and the certificate
# of its responder (RFC 6960 §4.2.2.2), hence the right to sign.
path "hsm/keys" {
  capabilities = ["list"]
}
path "hsm/keys/+" {
  capabilities = ["create", "read", "update", "delete"]
}
path "hsm/keys/+/components" {
  capabilities = ["create", "read", "update", "delete"]
}
path "hsm/keys/+/import" {
  capabilities = ["create", "update"]
}
path "hsm/keys/+/export" {
  capabilities = ["create", "update"]
}
path "hsm/keys/+/rotate" {
  capabilities = ["create", "update"]
}
path "hsm/keys/+/retire" {
  capabilities = ["create", "update"]
}
path "hsm/keys/+/disable" {
  capabilities = ["create", "update"]
}
path "hsm/keys/+/enable" {
  capabilities = ["create", "update"]
}
path "hsm/profiles" {
  capabilities = ["list"]
}
path "hsm/profiles/+" {
  capabilities = ["create", "read", "update"]
}
path "hsm/activities/+" {
  capabilities = ["create", "read", "update", "delete"]
}
# Not issuing-*: a glob at the end would also match .../config, where a key can be
# made exportable. Vault takes no other parameter than the type.
path "transit/keys/+" {
  capabilities       = ["create", "read", "update"]
  allowed_parameters = { "type" = ["ecdsa-p256", "ecdsa-p384", "rsa-3072"] }
}
# The delegates' keys alone have versions: a CA's has one for life.
# Three for each issuing CA; a fifth needs three lines more.
path "transit/keys/ocsp-1/rotate" {
  capabilities = ["update"]
}
path "transit/keys/bureau-1/rotate" {
  capabilities = ["update"]
}
path "transit/keys/statement-1/rotate" {
  capabilities = ["update"]
}
path "transit/keys/ocsp-2/rotate" {
  capabilities = ["update"]
}
path "transit/keys/bureau-2/rotate" {
  capabilities = ["update"]
}
path "transit/keys/statement-2/rotate" {
  capabilities = ["update"]
}
path "transit/keys/ocsp-3/rotate" {
  capabilities = ["update"]
}
path "transit/keys/bureau-3/rotate" {
  capabilities = ["update"]
}
path "transit/keys/statement-3/rotate" {
  capabilities = ["update"]
}
path "transit/keys/ocsp-4/rotate" {
  capabilities = ["update"]
}
path "transit/keys/bureau-4/rotate" {
  capabilities = ["update"]
}
path "transit/keys/statement-4/rotate" {
  capabilities = ["update"]
}
path "transit/sign/issuing-*" {
  capabilities = ["update"]
}
# A rehearsal has keys of its own, by these names.
path "transit/sign/rehearsal-*" {
  capabilities = ["update"]
}
# The root's list is signed at a ceremony; its number is marked.
path "hsm/marks/+" {
  capabilities = ["create", "read", "update"]
}
