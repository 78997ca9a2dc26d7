# `sceau serve`: verifies CAP codes for sign-in and relying services, and makes
# the scripts with which a branch terminal unblocks a card's PIN or changes it.
path "hsm/cap/verify" {
  capabilities = ["create", "update"]
}
path "hsm/cap/resync" {
  capabilities = ["create", "update"]
}
path "hsm/script/pin-unblock" {
  capabilities = ["create", "update"]
}
path "hsm/script/pin-change" {
  capabilities = ["create", "update"]
}
# Signs statements to relying services.
path "transit/keys/statement-*" {
  capabilities = ["read"]
}
path "transit/sign/statement-*" {
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
