# An auditor: reads descriptions of keys, profiles and activities, the card
# engine's journal, the policies, who has which role, and whether an audit
# device is on. Changes nothing, computes nothing, sees no secret: the policy
# has neither create nor update anywhere. Vault guards the list of audit devices
# with sudo.
path "hsm/keys" {
  capabilities = ["list"]
}
path "hsm/keys/+" {
  capabilities = ["read"]
}
path "hsm/keys/+/components" {
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
path "hsm/marks/+" {
  capabilities = ["read"]
}
path "hsm/audit" {
  capabilities = ["read"]
}
path "transit/keys" {
  capabilities = ["list"]
}
path "transit/keys/+" {
  capabilities = ["read"]
}
path "transit-root/keys" {
  capabilities = ["list"]
}
path "transit-root/keys/+" {
  capabilities = ["read"]
}
path "sys/policies/acl" {
  capabilities = ["list"]
}
path "sys/policies/acl/+" {
  capabilities = ["read"]
}
path "sys/audit" {
  capabilities = ["read", "sudo"]
}
path "sys/mounts" {
  capabilities = ["read"]
}
path "sys/auth" {
  capabilities = ["read"]
}
path "auth/approle/role" {
  capabilities = ["list"]
}
path "auth/approle/role/+" {
  capabilities = ["read"]
}
path "auth/token/roles" {
  capabilities = ["list"]
}
path "auth/token/roles/+" {
  capabilities = ["read"]
}
