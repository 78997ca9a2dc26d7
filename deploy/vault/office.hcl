# `sceau serve --doors office`: shows which keys there are, by check value and
# public half, whether the PIN-letter activity is open, and finds a card's
# counter again from two codes in a row. It signs nothing, makes no
# key in Vault and reads no PIN.
path "hsm/keys" {
  capabilities = ["list"]
}
path "hsm/keys/+" {
  capabilities = ["read"]
}
path "hsm/profiles" {
  capabilities = ["list"]
}
path "hsm/profiles/+" {
  capabilities = ["read"]
}
path "hsm/activities/+" {
  capabilities = ["read"]
}
path "hsm/cap/resync" {
  capabilities = ["create", "update"]
}
path "transit/keys/+" {
  capabilities = ["read"]
}
# Unwraps the key under which card numbers are sealed in the database, once at
# its start, and has the first one made.
path "transit/decrypt/safe" {
  capabilities = ["update"]
}
path "transit/datakey/wrapped/safe" {
  capabilities = ["update"]
}
