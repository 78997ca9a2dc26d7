# `sceau serve`: verifies CAP codes for sign-in and relying services, and makes
# the scripts with which a branch terminal unblocks a card's PIN or changes it.
path "hsm/cap/verify" {
  capabilities = ["create", "update"]
}
path "hsm/script/pin-unblock" {
  capabilities = ["create", "update"]
}
path "hsm/script/pin-change" {
  capabilities = ["create", "update"]
}
