# The PIN-letter worker, alone in its process: takes each PIN for one letter,
# then closes or destroys it. Nothing else: no card data, no signature.
path "hsm/pin/letter" {
  capabilities = ["create", "update"]
}
path "hsm/pin/close" {
  capabilities = ["create", "update"]
}
path "hsm/pin/destroy" {
  capabilities = ["create", "update"]
}
