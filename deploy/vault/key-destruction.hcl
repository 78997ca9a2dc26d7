# For the end of a CA: of each key of it a copy of these lines, with its name for
# KEY. `sceau ceremony destroy-key` writes such a policy for the three keys of that
# CA, makes a token of a quarter of an hour with it, and removes both afterwards. No
# other policy may release a signing key for deletion, or delete one.
path "transit/keys/KEY" {
  capabilities = ["read", "delete"]
}
path "transit/keys/KEY/config" {
  capabilities       = ["update"]
  allowed_parameters = { "deletion_allowed" = [true] }
}
