package main

import (
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/audit"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/builtin/logical/pki"
	"github.com/hashicorp/vault/builtin/logical/transit"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
)

// registry tells Vault which of its own engines and methods this build has.
// Vault calls it at every mount, and panics without one.
type registry struct{}

func logicalBackends() map[string]logical.Factory {
	return map[string]logical.Factory{"kv": kv.Factory, "pki": pki.Factory, "transit": transit.Factory}
}

func credentialBackends() map[string]logical.Factory {
	return map[string]logical.Factory{"approle": approle.Factory}
}

func auditBackends() map[string]audit.Factory {
	return map[string]audit.Factory{"file": audit.NewFileBackend}
}

func builtins(t consts.PluginType) map[string]logical.Factory {
	switch t {
	case consts.PluginTypeSecrets:
		return logicalBackends()
	case consts.PluginTypeCredential:
		return credentialBackends()
	default:
		return nil
	}
}

// Contains tells whether the engine or method is built in.
func (registry) Contains(name string, t consts.PluginType) bool {
	_, ok := builtins(t)[name]
	return ok
}

// Get is the factory of a factory, as Vault's plugin catalogue wants it.
func (registry) Get(name string, t consts.PluginType) (func() (any, error), bool) {
	factory, ok := builtins(t)[name]
	if !ok {
		return nil, false
	}
	return func() (any, error) { return factory, nil }, true
}

// Keys are the names built in for a type.
func (registry) Keys(t consts.PluginType) []string {
	var names []string
	for name := range builtins(t) {
		names = append(names, name)
	}
	return names
}

// DeprecationStatus answers that everything here is supported.
func (registry) DeprecationStatus(name string, t consts.PluginType) (consts.DeprecationStatus, bool) {
	_, ok := builtins(t)[name]
	return consts.Supported, ok
}

// IsBuiltinEntPlugin answers that nothing here belongs to the paid edition.
func (registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
