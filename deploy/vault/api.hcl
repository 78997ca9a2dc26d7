# `sceau serve`: verifies CAP codes for sign-in and relying services, and makes
# the script that unblocks a card's PIN at a branch terminal.
path "hsm/cap/verify" {
  capabilities = ["create", "update"]
}
path "hsm/script/pin-unblock" {
  capabilities = ["create", "update"]
}
