# `sceau serve --doors office`: shows which keys there are, by check value and
# public half, whether the PIN-letter activity is open, and finds a card's
# counter again from two codes in a row. It signs nothing, makes nothing and
# reads no PIN.
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
