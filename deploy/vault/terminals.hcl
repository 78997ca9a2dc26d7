# `sceau serve --doors terminals`: has blank chips made into cards at branch
# terminals, and looks at the first cryptogram of each. It makes no script, judges
# no code, reads no PIN, and makes no card for a bureau.
path "hsm/card/challenge" {
  capabilities = ["create", "update"]
}
path "hsm/card/channel" {
  capabilities = ["create", "update"]
}
path "hsm/arqc/verify" {
  capabilities = ["create", "update"]
}
# Unwraps the key under which card numbers are sealed in the database, once at
# its start, and has the first one made.
path "transit/decrypt/safe" {
  capabilities = ["update"]
}
path "transit/datakey/wrapped/safe" {
  capabilities = ["update"]
}
